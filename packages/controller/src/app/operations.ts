import {
  type DeployResult,
  type OperationEvent,
  type ProgressEvent,
  SlError,
  toSlError,
  toWireError,
} from '@silverlining/protocol';
import type { Clock, Ids } from '../ports.ts';
import {
  controllerStops,
  OperationFailed,
  type OperationKind,
  type OperationRegistry,
  type OperationRequest,
  type OperationSummary,
  type ProgressReport,
} from '../service.ts';
import { operationIn } from './rollout-record.ts';

/** Ended operations that can still be attached to. */
const KEPT = 20;

export interface OperationsOptions {
  clock: Pick<Clock, 'now'>;
  ids: Pick<Ids, 'token'>;
  /** Told of every operation that failed without a coded error: a defect worth its stack. */
  onDefect?: (id: string, error: unknown) => void;
}

interface Entry extends OperationSummary {
  kind: OperationKind;
  abort: AbortController;
  /** Append-only, so that a follower is a position in it; an event that a newer one made pointless leaves a hole. */
  events: (OperationEvent | undefined)[];
  /** Position of the newest counter tick of each kind of work. */
  ticks: Map<string, number>;
  ended: boolean;
  wake: Set<() => void>;
  settled: Promise<void>;
}

/** Operations that run and that ran lately, with their events to replay. Followers read at their own pace. */
export class Operations implements OperationRegistry {
  readonly #entries = new Map<string, Entry>();
  readonly #options: OperationsOptions;
  #isRefusing = false;

  constructor(options: OperationsOptions) {
    this.#options = options;
  }

  start(request: OperationRequest): string {
    if (this.#isRefusing) throw controllerStops();
    const id = `${request.kind}-${this.#options.ids.token(6)}`;
    const { kind, set } = request;
    const entry: Entry = {
      ...{ id, kind, set, since: this.#options.clock.now(), abort: new AbortController(), ended: false },
      ...{ events: [{ type: 'operation', id, kind, set }], ticks: new Map(), wake: new Set() },
      settled: Promise.resolve(),
    };
    this.#entries.set(id, entry);
    entry.settled = this.#run(entry, request);
    return id;
  }

  follow(id: string, signal: AbortSignal): AsyncIterable<OperationEvent> {
    return eventsOf(this.#entry(id), signal);
  }

  cancel(id: string): boolean {
    const entry = this.#entry(id);
    if (entry.ended) return false;
    entry.abort.abort(new SlError('E_ABORTED', `${entry.kind} was cancelled`));
    return true;
  }

  running(): OperationSummary[] {
    return [...this.#entries.values()]
      .filter((entry) => !entry.ended)
      .map(({ id, kind, set, since }) => ({ id, kind, set, since }));
  }

  refuse(): void {
    this.#isRefusing = true;
  }

  /** Cancels everything that runs and resolves when all of it has ended. Nothing is started any more. */
  async stop(): Promise<void> {
    this.refuse();
    const running = [...this.#entries.values()].filter((entry) => !entry.ended);
    for (const entry of running) this.cancel(entry.id);
    await Promise.allSettled(running.map((entry) => entry.settled));
  }

  #entry(id: string): Entry {
    const entry = this.#entries.get(id) ?? this.#entries.get(operationIn(id));
    if (entry !== undefined) return entry;
    throw new SlError(
      'E_NOT_FOUND',
      `this controller knows no operation ${JSON.stringify(id.slice(0, 80))}: it remembers what runs and the last ${KEPT} that ended since it was started (sl deploys lists all deploys)`,
    );
  }

  async #run(entry: Entry, request: OperationRequest): Promise<void> {
    const emit = (progress: ProgressReport) => {
      append(entry, { ...progress, type: 'progress', at: this.#options.clock.now() });
    };
    try {
      const result = await request.run({ operationId: entry.id, by: request.by, signal: entry.abort.signal, emit });
      append(entry, { type: 'done', result });
    } catch (thrown) {
      append(entry, this.#failure(entry, thrown));
    }
    entry.ended = true;
    this.#forgetOldest();
    wakeAll(entry);
  }

  #failure(entry: Entry, thrown: unknown): OperationEvent {
    const failure = thrown instanceof OperationFailed ? thrown.error : toSlError(thrown);
    if (failure.code === 'E_INTERNAL') this.#options.onDefect?.(entry.id, thrown);
    const result = thrown instanceof OperationFailed ? thrown.result : undefined;
    const error = toWireError(entry.abort.signal.aborted ? asCancelled(entry, failure, result) : failure);
    return { type: 'failed', error, ...(result === undefined ? {} : { result }) };
  }

  #forgetOldest(): void {
    const ended = [...this.#entries.values()].filter((entry) => entry.ended);
    for (const entry of ended.slice(0, -KEPT)) this.#entries.delete(entry.id);
  }
}

/** What a cancelled operation leaves: nothing is switched before the commit, and what is committed is finished. */
const LEFT: Record<OperationKind, string> = {
  // An app that the file has no more may be gone.
  up: 'no release was switched to. sl up goes on from here, sl down takes away what there is',
  deploy: 'nothing was switched: what was active is active',
  rollback: 'nothing was switched: what was active is active',
  down: 'what was destroyed by then is gone, sl down goes on with the rest',
};

/** Of `sl up`, which goes on after its deploys. */
const SWITCHED = 'what it had deployed is active. sl up does the rest';

/** Which of its steps noticed first that it was cancelled is nobody's concern. */
function asCancelled({ kind, set }: Entry, failure: SlError, result: DeployResult | undefined): SlError {
  if (failure.code !== 'E_ABORTED') return failure;
  const left = result !== undefined && hasSwitched(result) ? SWITCHED : LEFT[kind];
  return new SlError('E_ABORTED', `sl ${kind} of ${set} was cancelled; ${left}`, { cause: failure });
}

function hasSwitched({ deploys }: DeployResult): boolean {
  return deploys.some(({ outcome }) => outcome === 'done');
}

async function* eventsOf(entry: Entry, signal: AbortSignal): AsyncGenerator<OperationEvent> {
  for (let next = 0; !signal.aborted; next += 1) {
    if (next === entry.events.length && !entry.ended) await moreEvents(entry, signal);
    if (next === entry.events.length) return;
    const event = entry.events[next];
    if (event !== undefined) yield event;
  }
}

function append(entry: Entry, event: OperationEvent): void {
  if (entry.ended) return;
  if (event.type === 'progress' && event.done !== undefined) dropOlderTick(entry, event);
  entry.events.push(event);
  wakeAll(entry);
}

/** Of a counter only the newest value matters; keeping them all would grow with the bytes that are sent. */
function dropOlderTick(entry: Entry, event: ProgressEvent): void {
  const key = JSON.stringify([event.action, event.node, event.app, event.status]);
  const older = entry.ticks.get(key);
  if (older !== undefined) entry.events[older] = undefined;
  entry.ticks.set(key, entry.events.length);
}

function wakeAll(entry: Entry): void {
  for (const wake of entry.wake) wake();
  entry.wake.clear();
}

/** Resolves at the next event or end of the operation, or when the follower gives up. */
function moreEvents(entry: Entry, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      entry.wake.delete(wake);
      signal.removeEventListener('abort', wake);
      resolve();
    };
    entry.wake.add(wake);
    signal.addEventListener('abort', wake, { once: true });
  });
}
