/** What the HTTP API asks of the controller: the contract between `io/api` and the app layer. */
import {
  type ApiRequest,
  type DeployResult,
  type DeploysResult,
  type DownResult,
  type LogLine,
  type OperationEvent,
  type Plan,
  type ProgressEvent,
  SlError,
  type StatusResult,
  type UpResult,
} from '@silverlining/protocol';

/** Reason in the details of what a controller answers that is about to end: the next one may be started. */
export const STOPPING = 'STOPPING';

export function controllerStops(): SlError {
  return new SlError('E_CONTROLLER', 'the controller is stopping', { details: { reason: STOPPING } });
}

export type OperationKind = 'up' | 'deploy' | 'rollback' | 'down';

/** A progress event without what the registry adds: its type and the time. */
export type ProgressReport = Omit<ProgressEvent, 'type' | 'at'>;

/** What a running operation is given. */
export interface OperationContext {
  operationId: string;
  /** Who asked for it, where that is known. */
  by?: string | undefined;
  /** Aborted by Ctrl-C and by a forced shutdown; what is committed is finished all the same. */
  signal: AbortSignal;
  emit(progress: ProgressReport): void;
}

export interface RequestContext {
  /** Aborted when the client is gone. */
  signal: AbortSignal;
}

export interface LogsContext extends RequestContext {
  /** Resolves when the client took the line; waiting for it is the back-pressure. */
  emit(line: LogLine): Promise<void>;
}

/**
 * The verbs of the API. All of them throw SlError; an operation that failed after it did something throws
 * OperationFailed, so that its caller learns both. `logs` resolves when there are no more lines to come.
 */
export interface ControllerService {
  /** Somebody is there: whoever asks which controller this is means to ask it more. */
  noteClient(): void;
  plan(request: ApiRequest<'plan'>, context: RequestContext): Promise<Plan>;
  status(request: ApiRequest<'status'>, context: RequestContext): Promise<StatusResult>;
  deploys(request: ApiRequest<'deploys'>, context: RequestContext): Promise<DeploysResult>;
  up(request: ApiRequest<'up'>, context: OperationContext): Promise<UpResult>;
  deploy(request: ApiRequest<'deploy'>, context: OperationContext): Promise<DeployResult>;
  rollback(request: ApiRequest<'rollback'>, context: OperationContext): Promise<DeployResult>;
  down(request: ApiRequest<'down'>, context: OperationContext): Promise<DownResult>;
  logs(request: ApiRequest<'logs'>, context: LogsContext): Promise<void>;
  /** What the journal has of an operation that the registry forgot, with its end as its last event; undefined for none. */
  recorded(operation: string): Promise<OperationEvent[] | undefined>;
  /** Resolves when no deploy is being taken back: whoever stops the controller in the middle would leave some nodes as they were. */
  reverted(): Promise<void>;
}

/** Ends an operation as failed together with its result so far, e.g. the record of an aborted deploy. */
export class OperationFailed extends Error {
  readonly error: SlError;
  readonly result: DeployResult;

  constructor(error: SlError, result: DeployResult) {
    super(error.message, { cause: error });
    this.name = 'OperationFailed';
    this.error = error;
    this.result = result;
  }
}

export interface OperationSummary {
  id: string;
  kind: string;
  set: string;
  /** Milliseconds since 1970. */
  since: number;
}

export interface OperationRequest {
  kind: OperationKind;
  set: string;
  /** Who asks for it. */
  by?: string | undefined;
  run(context: OperationContext): Promise<unknown>;
}

/** The registry of operations as the API uses it. */
export interface OperationRegistry {
  /** Starts an operation, whose fate no longer depends on the caller, and returns its id. E_CONTROLLER once all are refused. */
  start(request: OperationRequest): string;
  /** From now on none is started: the controller is about to stop, and what began now would be cut off. */
  refuse(): void;
  /** All events from the first one on, ending with `done` or `failed`. E_NOT_FOUND when it is unknown. */
  follow(id: string, signal: AbortSignal): AsyncIterable<OperationEvent>;
  /** Asks it to stop; false when it has ended already. E_NOT_FOUND when it is unknown. */
  cancel(id: string): boolean;
  running(): OperationSummary[];
}
