/** The data that the controller's core decides on and its store holds: rows, nodes as providers know them, bootstraps. */
import type {
  ActiveMap,
  App,
  DeployRecord,
  Facts,
  InstanceSpec,
  Manifest,
  Role,
  ServerSet,
  Topology,
} from '@silverlining/protocol';

/** A set as the store keeps it. */
export interface SetRecord {
  name: string;
  config: ServerSet;
  /** The newest topology; its generation is the set's. Undefined before the first push. */
  topology: Topology | undefined;
  /** That of the last commit; grows with every one. Before the first it is where sets of the past ended. */
  epoch: number;
  /** Whether anything was ever committed: until then `epoch` and `active` say nothing about what serves. */
  committed: boolean;
  /** The highest epoch that an agent has been heard to have: above it only when what this store knew was lost. */
  heardEpoch: number;
  /** The committed instance of each app. */
  active: ActiveMap;
}

export interface NodeRecord {
  uuid: string;
  set: string;
  name: string;
  roles: Role[];
  /** The provider's identity; undefined until `create` answered. */
  providerId: string | undefined;
  address: string | undefined;
  /** `planned`: journalled, maybe created. `created`: it exists. `enrolled`: an agent with a certificate runs on it. */
  state: 'planned' | 'created' | 'enrolled';
  /** SHA-256 (hex) of the public key in its certificate (SubjectPublicKeyInfo DER). */
  keyHash: string | undefined;
  /** Grows with each enrolment of the node; a certificate of an older one is refused. */
  certGeneration: number;
  /** Public host key learnt and pinned at the first SSH connection. */
  hostKeys: string[];
  /** Where its agent was told that the controller is (`toldOf`); undefined where nobody wrote it down. */
  told: string | undefined;
  /** Milliseconds since 1970 of the last frame from its agent. */
  lastSeen: number | undefined;
  facts: Facts | undefined;
}

/** An agent was heard; with its hello, what it said of its node. */
export interface Contact {
  uuid: string;
  /** Milliseconds since 1970. */
  lastSeen: number;
  facts?: Facts;
}

/** A release without its manifest, which may be long. */
export interface ReleaseEntry {
  instance: string;
  set: string;
  app: string;
  /** Digest of the manifest. */
  digest: string;
  spec: InstanceSpec;
  /** App configuration it was deployed with, for hooks and health on rollback. */
  config: App;
  /** Milliseconds since 1970. */
  createdAt: number;
  /** When it was last committed, later than any other of the set before; undefined when it never was. */
  committedAt: number | undefined;
}

export interface ReleaseRecord extends ReleaseEntry {
  manifest: Manifest;
}

/** Journal of a deploy: what is durable about it. The app's progress lives in `record`. */
export interface DeployRow {
  id: string;
  set: string;
  app: string;
  instance: string;
  state: 'staging' | 'committed' | 'ended';
  record: DeployRecord;
  startedAt: number;
}

/** What happened on the nodes of a deploy. */
export type Timeline = NonNullable<DeployRecord['timeline']>;

export interface Lease {
  set: string;
  holder: string;
  /** Operation id, for attaching. */
  operation: string;
  since: number;
  /** Fencing token: grows with every lease of the set. */
  token: number;
  /** Signs of life that its holder gave. */
  beats: number;
}

export interface CommitDecision {
  set: string;
  token: number;
  active: ActiveMap;
  deploys: string[];
  now: number;
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

export interface BootstrapRequest {
  uuid: string;
  name: string;
  set: string;
  certGeneration: number;
  ssh: SshTarget;
  /** Host keys pinned earlier; a different one is a hard stop. */
  pinnedHostKeys: string[];
  /** Learn the host key at this connection: only for a node that was just created. */
  learnHostKey: boolean;
  /** `wss://HOST:PORT`; undefined: the address that the node sees the SSH connection come from. */
  controllerUrl: string | undefined;
  /** Port to go with that address; undefined: the controller's own. */
  controllerPort?: number | undefined;
}

export interface BootstrapResult {
  keyHash: string;
  hostKeys: string[];
  arch: string;
  controllerUrl: string;
  /** The set that the machine was a node of before. */
  formerSet: string | undefined;
}

/** A size that a provider offers. */
export interface NodeSize {
  id: string;
  name: string;
  /** Memory in MiB. */
  ram: number;
}

/** An operating system that a provider offers. */
export interface NodeImage {
  id: string;
  name: string;
}
