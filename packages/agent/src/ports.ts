/** What the agent's core and app need from each other and from the node. `io/` implements ports; `main.ts` alone constructs them. */
import type { Duplex } from 'node:stream';
import type {
  ActiveMap,
  HealthReport,
  InstanceReport,
  NoticeBody,
  ReplyBody,
  RequestBody,
  RequestType,
  Topology,
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
  extends Pick<Handlers, 'offer' | 'stage' | 'hook' | 'abort' | 'switch' | 'settle' | 'traffic'> {
  epoch(): number;
  active(): ActiveMap;
  instances(): Promise<InstanceReport[]>;
  /** Asks the active instance of each app that runs here over its health path. */
  appHealth(signal: AbortSignal): Promise<HealthReport['apps']>;
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
