/** What the controller's core and app need from the world. `io/` implements these; `main.ts` alone constructs them. */
import type { Duplex, Readable } from 'node:stream';
import type {
  agentRequests,
  HealthReport,
  NoticeBody,
  ReplyBody,
  RequestType,
  ServerSet,
  Topology,
} from '@silverlining/protocol';
import type * as z from 'zod/mini';
import type {
  BootstrapRequest,
  BootstrapResult,
  CommitDecision,
  Contact,
  DeployRow,
  Lease,
  NodeImage,
  NodeRecord,
  NodeSize,
  ProviderNode,
  ReleaseEntry,
  ReleaseRecord,
  SetRecord,
  Timeline,
} from './records.ts';

export type * from './records.ts';
export type * from './release-ports.ts';

export interface CreateNodeRequest {
  /** Journalled by the caller before the call; a second create with the same UUID adopts the first one's node. */
  uuid: string;
  name: string;
  set: string;
  /** Id of one of the provider's sizes; undefined leaves it to the provider. */
  size: string | undefined;
  image: string | undefined;
}

/** Where nodes come from. Methods throw SlError E_PROVIDER with what to do. */
export interface Provider {
  readonly driver: string;
  /** Its machines are the user's: `destroy` leaves them, so the agent has to put back what was there before it. */
  readonly keepsMachines: boolean;
  /** Whether its nodes run on the controller's machine, and share its processors. */
  readonly onThisMachine: boolean;
  /** Nodes of the set that exist, running or not. */
  list(set: string, signal: AbortSignal): Promise<ProviderNode[]>;
  /** Creates the node, or adopts the one that already carries the UUID, and returns it running. */
  create(request: CreateNodeRequest, report: (text: string) => void, signal: AbortSignal): Promise<ProviderNode>;
  /** Starts a stopped node again with its disk as it was. */
  start(id: string, signal: AbortSignal): Promise<ProviderNode>;
  /** Removes the node and all it held; a node that is gone already is no error. */
  destroy(id: string, signal: AbortSignal): Promise<void>;
  /** None where there is nothing to choose from: then every wish for a size is met. */
  sizes(signal: AbortSignal): Promise<NodeSize[]>;
  images(signal: AbortSignal): Promise<NodeImage[]>;
  /** Releases what the provider holds for the set beside its nodes (a bridge that nothing uses any more, ...). */
  cleanUp(set: string, signal: AbortSignal): Promise<void>;
}

/** Everything the controller must not forget. All writes are durable when their promise resolves. */
export interface Store {
  sets(): Promise<SetRecord[]>;
  set(name: string): Promise<SetRecord | undefined>;
  putSet(name: string, config: ServerSet): Promise<SetRecord>;
  putTopology(set: string, topology: Topology): Promise<void>;
  /** Notes an epoch that an agent has: the next commit of the set goes above it. Nothing for a set that does not exist. */
  hearEpoch(set: string, epoch: number): Promise<void>;
  /** Removes the set and all rows that belong to it. */
  deleteSet(name: string): Promise<void>;

  nodes(set: string): Promise<NodeRecord[]>;
  node(uuid: string): Promise<NodeRecord | undefined>;
  putNode(node: NodeRecord): Promise<void>;
  deleteNode(uuid: string): Promise<void>;
  /** Times of contact may be lost in a crash: written without waiting for the disk, all in one go. */
  touchNodes(contacts: readonly Contact[]): Promise<void>;

  releases(set: string, app?: string): Promise<ReleaseEntry[]>;
  release(set: string, instance: string): Promise<ReleaseRecord | undefined>;
  /** `text`: that of the manifest, where it is at hand. */
  putRelease(release: ReleaseRecord, text?: Uint8Array): Promise<void>;
  deleteReleases(set: string, instances: readonly string[]): Promise<void>;

  /** In the order in which they were first put, without their timelines: a hundred of a thousand nodes are tens of megabytes. */
  deploys(set: string): Promise<DeployRow[]>;
  deploy(id: string): Promise<DeployRow | undefined>;
  /**
   * A record without a timeline leaves the one that is there. With one more of an app, the oldest that nobody needs are forgotten
   * (core/release/surplus-deploys.ts).
   */
  putDeploy(deploy: DeployRow): Promise<void>;
  /**
   * Replaces those of the set's deploys that `change` returns, all or none; it is given them as they are, oldest first, and nobody else
   * writes to them meanwhile.
   */
  changeDeploys(set: string, change: (rows: readonly DeployRow[]) => readonly DeployRow[]): Promise<void>;
  /** Adds to the end of a deploy's timeline. */
  addToTimeline(id: string, happenings: Timeline): Promise<void>;
  /**
   * The decision: in one transaction checks the lease's token, raises the set's epoch, sets its active map, and marks the
   * deploys committed. Returns the new epoch. E_CONFLICT when the token is not the newest.
   */
  commit(decision: CommitDecision): Promise<number>;

  /** The lease, or who holds it. */
  acquireLease(
    set: string,
    holder: string,
    operation: string,
    now: number,
  ): Promise<{ lease: Lease; granted: boolean }>;
  releaseLease(set: string, token: number): Promise<void>;
  /** Counts a sign of life of whoever holds the lease; nothing where somebody else does by now. */
  beatLease(set: string, token: number): Promise<void>;
  /** At start: leases of a controller that is gone. */
  dropLeases(): Promise<void>;

  /** A secret of the set, made once by `make`; it goes with the set. */
  secret(set: string, name: string, make: () => string): Promise<string>;
  close(): void;
}

/** A connected agent. */
export interface AgentSession {
  uuid: string;
  /** Monotonic milliseconds: the machine's clock may be set while agents stay connected. */
  connectedAt: number;
  /** Address its connection came from. */
  remoteAddress: string;
  hello: NoticeBody<'hello'>;
  health: HealthReport | undefined;
}

export interface RequestOptions {
  signal: AbortSignal;
  /** Milliseconds until E_DEADLINE. */
  deadline: number;
  onProgress?: ((progress: NoticeBody<'progress'>) => void) | undefined;
}

/** A bulk socket that an agent is going to open. */
export interface Transfer {
  /** Goes into the request that tells the agent to open it. */
  id: string;
  /** Resolves when the agent opened it; E_DEADLINE or E_NODE_DISCONNECTED otherwise. */
  socket: Promise<Duplex>;
  /** Gives it up and closes what is open. */
  close(): void;
}

/** The agents, as connected now. Nodes are named by UUID; errors carry the code and the node. */
export interface Fleet {
  session(uuid: string): AgentSession | undefined;
  /** Waits until the agent has said hello on a connection newer than `after` (monotonic milliseconds). */
  waitFor(uuid: string, options: { signal: AbortSignal; deadline: number; after?: number }): Promise<AgentSession>;
  /**
   * Resolves when little is on its way to the agents: to be waited for before a large body is made. Otherwise those for thousands of
   * nodes would be in memory at once.
   */
  turn(): Promise<void>;
  /** A body that was given is not changed any more: of one that many nodes are sent, the text is made once. */
  request<T extends RequestType>(
    uuid: string,
    type: T,
    body: z.input<(typeof agentRequests)[T]['request']>,
    options: RequestOptions,
  ): Promise<ReplyBody<T>>;
  transfer(uuid: string, options: { signal: AbortSignal; deadline: number }): Transfer;
  /** Whether two agents claim to be this node, so that neither is let in for now. */
  isHeld(node: NodeRecord): boolean;
  /** Ends the node's sockets; used when its identity is revoked. */
  disconnect(uuid: string, reason: string): void;
  /** Called for each hello, after the session is registered. */
  onHello(listener: (session: AgentSession) => void): void;
}

/** The agent as this controller brings it to nodes. Digests are SHA-256, hex. */
export interface AgentProgram {
  bundle: { digest: string; open(): Readable };
  unit: { digest: string; text: string };
  /** The Node that it runs under; `file` has the binary for an architecture, compressed by gzip. */
  runtime: {
    version: string;
    file(arch: string, report: (text: string) => void, signal: AbortSignal): Promise<RuntimeFile>;
  };
}

export interface RuntimeFile {
  /** Of the binary itself. */
  digest: string;
  /** Bytes that are sent. */
  size: number;
  open(): Readable;
}

/** Puts an agent onto a node over SSH, once. */
export interface Bootstrapper {
  /** Returns the hash of the key it enrolled and the host keys it saw; the unit is started when it resolves. */
  bootstrap(request: BootstrapRequest, report: (text: string) => void, signal: AbortSignal): Promise<BootstrapResult>;
  /** Has the agent of a node that was set up connect now; by itself it tries again after up to half a minute. */
  call(node: CallRequest, signal: AbortSignal): Promise<void>;
}

/** How to reach a node again on which an agent is. */
export type CallRequest = Pick<BootstrapRequest, 'uuid' | 'ssh' | 'pinnedHostKeys'>;

/** The marked block in the workstation's own /etc/hosts. */
export interface WorkstationHosts {
  /** Replaces the block of the set (no lines: removes it); true when that changed anything. */
  write(set: string, lines: string[]): Promise<boolean>;
  current(set: string): Promise<string[]>;
  writable(): Promise<boolean>;
}

/** The machine that the controller runs on, as it is now. */
export interface ThisMachine {
  /** Of its interfaces. Others may know it by an address that a router has for it. */
  addresses: ReadonlySet<string>;
  /** As in the facts of an agent. */
  bootId: string;
}

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds, monotonic. */
  monotonic(): number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export interface Ids {
  uuid(): string;
  /** URL-safe random text of `bytes` bytes of entropy. */
  token(bytes: number): string;
}
