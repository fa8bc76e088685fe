export interface KeepSmallOptions {
  signal: AbortSignal;
  /** Whether somebody waits for what is being done, however little of the processor that took until now. */
  isBusy?: () => boolean;
  /** Milliseconds between looks. */
  tick?: number;
  /** Part of one processor: below it, nobody waits for what a collection takes, some tens of milliseconds. */
  idle?: number;
  /** Bytes of new objects and buffers, dead or alive, that are not worth one. */
  slack?: number;
  /** Full collections after work: V8 drops compiled code that six in a row found unused, and each of these is two at least. */
  full?: number;
  /** Bytes of new objects and buffers that are worth a collection of the young ones, which takes a millisecond in a small process. */
  young?: number;
}

/** Of a process of some ten megabytes. */
const SMALL = { tick: 5_000, idle: 0.02, slack: 512 << 10, full: 3, young: 64 << 10 };

/**
 * Gives memory back to the system when there is nothing to do: V8 by itself collects only when it needs room, and a process
 * that took in a large release would sit on what that needed. What a process at rest leaves behind goes while it is young, so that the
 * same few pages are used again and again. Without `--expose-gc` it does nothing.
 */
export function keepSmall({ signal, isBusy = () => false, ...options }: KeepSmallOptions): void {
  const { tick, idle, slack, full, young } = { ...SMALL, ...options };
  const collect = globalThis.gc;
  if (collect === undefined) return;
  let floor = 0;
  let last = 0;
  let due = 0;
  let before = process.cpuUsage();
  const look = () => {
    const { user, system } = process.cpuUsage(before);
    const isIdle = user + system < idle * tick * 1_000 && !isBusy();
    const held = bytesHeld();
    // Work that has just begun has used little of the processor yet, and would wait for the collection.
    const grows = held > last + slack;
    last = held;
    // What a collection freed outside of V8's heap may be counted a little later.
    floor = Math.min(floor, held);
    if (isIdle && !grows) {
      if (held > floor + slack) due = full;
      if (due > 0) {
        due--;
        // The flavour that also drops compiled code which is not in use, and empty pages.
        collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
        floor = bytesHeld();
      } else if (held > floor + young) collect({ type: 'minor', execution: 'sync' });
    }
    before = process.cpuUsage();
  };
  const timer = setInterval(look, tick).unref();
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}

/** Of objects, and of buffers, which stand outside of V8's heap; dead or alive. */
function bytesHeld(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Bytes of dead buffers that may lie about; V8 alone lets 64 MiB of them come together. */
const DEAD = 8 << 20;

/**
 * For what passes on many buffers of some 100 KB: is told of the bytes of each, and frees those that are dead every now and then. They
 * take so little of V8's own heap that it sees no need for long. Only what is young is looked at, which takes a millisecond.
 */
export function createSweep(): (bytes: number) => void {
  const collect = globalThis.gc;
  let passed = 0;
  return (bytes) => {
    passed += bytes;
    if (passed < DEAD) return;
    passed = 0;
    collect?.({ type: 'minor', execution: 'sync' });
  };
}
