/** What the agent's core and app need from each other and from the node. `io/` implements ports; `main.ts` alone constructs them. */
import type { Duplex } from 'node:stream';
import type {
  ActiveMap,
  Facts,
  HealthReport,
  InstanceReport,
  NoticeBody,
  ReplyBody,
  RequestBody,
  RequestType,
  Resource,
  ResourceOf,
  ResourceType,
  Topology,
  Trust,
} from '@silverlining/protocol';

/** What a request handler gets beside the body. */
export interface RequestContext {
  /** Aborted when the session ends or the controller cancels; work that is not durable yet stops. */
  signal: AbortSignal;
  progress(progress: NoticeBody<'progress'>): void;
  /** Opens the bulk socket that the request names. Bytes flow until either end closes. */
  openTransfer(id: string): Promise<Duplex>;
}

export type Handler<T extends RequestType> = (body: RequestBody<T>, context: RequestContext) => Promise<ReplyBody<T>>;
/** One handler for each request type: the compiler forces the table to be complete. */
export type Handlers = { [T in RequestType]: Handler<T> };

/** The part of the agent that holds releases and runs instances. */
export interface Releases
  extends Pick<
    Handlers,
    | 'offer'
    | 'image'
    | 'chunks'
    | 'lend'
    | 'stage'
    | 'hook'
    | 'abort'
    | 'switch'
    | 'settle'
    | 'traffic'
    | 'backends'
    | 'hold'
  > {
  epoch(): number;
  /** The newest that this process was told of, where that is more. */
  heardEpoch(): number | undefined;
  active(): ActiveMap;
  /** What is committed, as the controller says: a node that cannot serve it gets no requests until it can. */
  hear(epoch: number, active: ActiveMap): Promise<void>;
  instances(): Promise<InstanceReport[]>;
  /** Whether a release comes right now, or is being staged. */
  isStaging(): boolean;
  /** Asks the active instance of each app that runs here over its health path. */
  appHealth(signal: AbortSignal): Promise<HealthReport['apps']>;
  /** The same without the count of restarts, which only systemd knows; with `lines` of what each app wrote last. */
  appAnswers(signal: AbortSignal, lines?: number): Promise<ReplyBody<'serving'>['apps']>;
  /** At start: makes processes and maps what the journal says; removes half-staged leftovers. */
  recover(): Promise<void>;
  /** Stops everything and removes all releases; for `retire`. */
  removeAll(): Promise<void>;
}

/** What the rest of the agent tells the releases about the node. */
export interface NodeView {
  /** The newest topology on disk; undefined before the first push. */
  topology(): Topology | undefined;
  /** This node's name, as in the topology. */
  readonly nodeName: string;
}

/** What bringing a resource to its wanted state left to know. */
export interface Applied {
  /** Puts back what was there; absent where that cannot be. */
  undo?: () => Promise<void>;
  /** The unit of which nothing is due any more: it was started with all that was changed before, or ended for good. */
  settled?: string;
}

/** Checks and changes one type of resource. Errors are SlError E_RESOURCE or E_PACKAGES with the log. */
export interface Executor<T extends ResourceType> {
  /** What differs, for people and without secrets; undefined when it is as wanted. */
  check(resource: ResourceOf<T>): Promise<string | undefined>;
  apply(resource: ResourceOf<T>): Promise<Applied>;
}
/** One executor for each type of resource: the compiler forces the table to be complete. */
export type Executors = { [T in ResourceType]: Executor<T> };

/** One run over a list of resources: the node is read once for all of them, and again only after a change. */
export interface ConvergeRun {
  executors: Executors;
  /** Called before a resource is applied: what was there is kept for the day on which the machine leaves its set. */
  keepOriginals(resource: Resource): Promise<void>;
  /** Makes systemd read unit files that this run changed; nothing when it changed none. */
  reloadDaemon(): Promise<void>;
  /** Throws when the command does not exit 0, with its output in `details.log`. */
  check(argv: readonly string[]): Promise<void>;
  act(unit: string, action: 'reload' | 'restart'): Promise<void>;
}

/** The node as something that can be brought to a wanted state. */
export interface ConvergeHost {
  open(resources: readonly Resource[], context: { signal: AbortSignal; say(text: string): void }): ConvergeRun;
  /** Puts back what was there before the first run; returns what could not be, for people. Packages and data stay. */
  putBack(): Promise<string[]>;
}

/** A small durable record. `write` returns when it is on disk. */
export interface StateFile<T> {
  read(): Promise<T>;
  write(value: T): Promise<void>;
}

/** Why a session with the controller ended, or never began. */
export type SessionEnd =
  | { kind: 'closed'; reason: string }
  /** The controller refuses the certificate; `renewable`: only its time is wrong. */
  | { kind: 'refused'; renewable: boolean; reason: string };

/** An open control socket. */
export interface ControlSession {
  /** What the hello asks of the controller; undefined where its orders need no signature. */
  readonly trust?: Trust | undefined;
  notify<T extends 'hello' | 'health'>(type: T, body: NoticeBody<T>): void;
}

/** The way to the controller. */
export interface Link {
  /** One session, from connecting to its end; throws nothing but defects. */
  session(options: {
    handlers: Handlers;
    /** Called once the socket is open, before anything else is sent. */
    opened(session: ControlSession): Promise<void>;
    signal: AbortSignal;
  }): Promise<SessionEnd>;
  /** Milliseconds since 1970: from when to when the certificate is good. */
  validity(): Promise<{ from: number; to: number }>;
  /** Gets a new certificate for the same key, an expired one included, and stores it. */
  renew(signal: AbortSignal): Promise<void>;
}

/** What this agent is made of: its bundle, the Node it runs under, its unit file. And how that is replaced. */
export interface SelfUpdate {
  readonly program: Pick<Facts, 'agentDigest' | 'runtime' | 'unit'>;
  /** Keeps the compressed Node binary that the stream brings. E_CONFLICT when it is not the one of the digest. */
  takeRuntime(runtime: Duplex, digest: string, signal: AbortSignal): Promise<void>;
  /**
   * Verifies and tries what the order names, with the bundle that the stream brings, and makes it what starts next. E_CONFLICT with
   * the reason otherwise.
   */
  install(bundle: Duplex, order: Omit<RequestBody<'update-agent'>, 'transfer'>, signal: AbortSignal): Promise<void>;
  /** At start: what the record of an update asks of this process. */
  begin(): Promise<'nothing' | 'prove' | 'leave'>;
  /** The controller welcomed what is new: it stays. */
  confirm(): Promise<void>;
  /** Makes what was there before start next. */
  rollBack(): Promise<void>;
}

/** The rest of the node, as health and retirement need it. */
export interface NodeProbe {
  facts(program: SelfUpdate['program']): Promise<Facts>;
  measure(
    units: readonly string[],
    signal: AbortSignal,
  ): Promise<Pick<HealthReport, 'clock' | 'load' | 'memory' | 'disk' | 'units'>>;
  /** Journal lines as NDJSON into the transfer, until it closes or the end. */
  streamLogs(request: RequestBody<'logs'>, transfer: Duplex, signal: AbortSignal): Promise<void>;
  /** Removes the identity and keeps the agent from starting again. */
  forgetIdentity(): Promise<void>;
  /** Removes the agent itself, with all its files; the process that asks is the last of it. */
  removeAgent(): Promise<void>;
}

export interface AgentClock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds, monotonic. */
  monotonic(): number;
  /** Ends early, with the signal's reason thrown, when it is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** From [0, 1). */
  random(): number;
}
