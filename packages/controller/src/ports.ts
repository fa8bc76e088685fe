/** What the controller's core and app need from the world. `io/` implements these; `main.ts` alone constructs them. */

/** A size that a provider offers. */
export interface NodeSize {
  id: string;
  name: string;
  /** Memory in MiB. */
  ram: number;
}

export interface NodeImage {
  id: string;
  name: string;
}

/** A node as its provider knows it. */
export interface ProviderNode {
  /** The provider's own identity of the node; what `destroy` takes. */
  id: string;
  /** Full name, e.g. `app1.example.internal`. */
  name: string;
  /** UUID label that was journalled before the node was created; undefined for machines that something else made. */
  uuid: string | undefined;
  /** Address that the controller's machine reaches it at. */
  address: string;
  state: 'running' | 'stopped';
  /** How SSH reaches it, once, for the bootstrap. */
  ssh: SshTarget;
}

export interface SshTarget {
  host: string;
  port: number;
  user: string;
  identityFile?: string | undefined;
  knownHostsFile?: string | undefined;
  /** Public host keys that the provider itself vouches for (known_hosts key fields such as `ssh-ed25519 AAAA...`). */
  hostKeys?: string[] | undefined;
}

export interface CreateNodeRequest {
  /** Journalled by the caller before the call; a second create with the same UUID adopts the first one's node. */
  uuid: string;
  name: string;
  set: string;
  size: string | undefined;
  image: string | undefined;
}

/** Where nodes come from. Methods throw SlError E_PROVIDER with what to do. */
export interface Provider {
  readonly driver: string;
  /** Nodes of the set that exist, running or not. */
  list(set: string, signal: AbortSignal): Promise<ProviderNode[]>;
  /** Creates the node, or adopts the one that already carries the UUID, and returns it running. */
  create(request: CreateNodeRequest, report: (text: string) => void, signal: AbortSignal): Promise<ProviderNode>;
  /** Starts a stopped node again with its disk as it was. */
  start(id: string, signal: AbortSignal): Promise<ProviderNode>;
  /** Removes the node and all it held; a node that is gone already is no error. */
  destroy(id: string, signal: AbortSignal): Promise<void>;
  sizes(signal: AbortSignal): Promise<NodeSize[]>;
  images(signal: AbortSignal): Promise<NodeImage[]>;
  /** Releases what the provider holds for the set beside its nodes (a bridge that nothing uses any more, ...). */
  cleanUp(set: string, signal: AbortSignal): Promise<void>;
}
