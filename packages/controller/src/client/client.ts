import {
  type ApiVerb,
  type apiRequests,
  type ControllerInfo,
  controllerInfo,
  type DeploysResult,
  deploysResult,
  type LogLine,
  logLine,
  type OperationEvent,
  operationEvent,
  type Plan,
  plan,
  SlError,
  type StatusResult,
  statusResult,
  wireError,
} from '@silverlining/protocol';
import * as z from 'zod/mini';
import { callJson, callLines } from './http.ts';

/** What a request's body may be, before defaults are filled in. */
export type RequestInput<V extends ApiVerb> = z.input<(typeof apiRequests)[V]>;
export type StreamingVerb = 'up' | 'deploy' | 'rollback' | 'down' | 'attach';

const INFO_MS = 5_000;
const SHORT_MS = 30_000;
/** A plan may look at every node. */
const PLAN_MS = 300_000;
/** Streams carry an empty line every 15 s. */
const STREAM_SILENCE_MS = 60_000;

/**
 * The controller's API over its unix socket. Methods throw the controller's own SlErrors, and E_CONTROLLER when it
 * cannot be reached or goes away; an operation runs on without its client.
 */
export class ControllerClient {
  readonly socketPath: string;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  /** E_CONTROLLER when it does not answer within `patience` milliseconds. */
  async info({ patience = INFO_MS }: { patience?: number | undefined } = {}): Promise<ControllerInfo> {
    const call = { method: 'GET', path: '/v1/info', silence: patience } as const;
    return parse(controllerInfo, await callJson(this.socketPath, call));
  }

  async plan(request: RequestInput<'plan'>, signal?: AbortSignal): Promise<Plan> {
    return parse(plan, await this.#post('plan', request, { signal, silence: PLAN_MS }));
  }

  async status(request: RequestInput<'status'>, signal?: AbortSignal): Promise<StatusResult> {
    return parse(statusResult, await this.#post('status', request, { signal, silence: SHORT_MS }));
  }

  async deploys(request: RequestInput<'deploys'>, signal?: AbortSignal): Promise<DeploysResult> {
    return parse(deploysResult, await this.#post('deploys', request, { signal, silence: SHORT_MS }));
  }

  /** Starts an operation, or follows one: its events from the first one to `done` or `failed`. */
  async *operate<V extends StreamingVerb>(
    verb: V,
    request: RequestInput<V>,
    signal?: AbortSignal,
  ): AsyncGenerator<OperationEvent> {
    const call = { method: 'POST', path: `/v1/${verb}`, body: request, signal, silence: STREAM_SILENCE_MS } as const;
    for await (const line of callLines(this.socketPath, call)) yield parse(operationEvent, line);
  }

  /** Asks a running operation to stop; false when it has ended. */
  async cancel(operation: string): Promise<boolean> {
    const answer = await this.#post('cancel', { operation }, { silence: SHORT_MS });
    return parse(z.object({ cancelled: z.boolean() }), answer).cancelled;
  }

  async *logs(request: RequestInput<'logs'>, signal?: AbortSignal): AsyncGenerator<LogLine> {
    const call = { method: 'POST', path: '/v1/logs', body: request, signal, silence: STREAM_SILENCE_MS } as const;
    for await (const line of callLines(this.socketPath, call)) {
      const it = parse(z.union([z.object({ error: wireError }), logLine]), line);
      if ('error' in it) throw SlError.fromWire(it.error);
      yield it;
    }
  }

  /** E_BUSY while an operation runs, unless forced: that cancels it. */
  async shutdown(force = false): Promise<void> {
    await this.#post('shutdown', { force }, { silence: SHORT_MS });
  }

  #post(
    verb: ApiVerb | 'shutdown',
    body: unknown,
    limits: { signal?: AbortSignal | undefined; silence: number },
  ): Promise<unknown> {
    return callJson(this.socketPath, { method: 'POST', path: `/v1/${verb}`, body, ...limits });
  }
}

function parse<T extends z.ZodMiniType>(schema: T, answer: unknown): z.infer<T> {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new SlError('E_CONTROLLER', `the controller's answer is not understood: ${z.prettifyError(parsed.error)}`);
}
