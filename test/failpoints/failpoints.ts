/**
 * Failpoints: every method of a port is one. A test build puts a wrapper around its ports that does harm where it is told to;
 * what is shipped has neither the wrapper nor anything that reads `SL_FAILPOINT`.
 *
 * `SL_FAILPOINT` is a list such as `journals.put=kill,store.commit.done@2=sleep:500`: PORT.METHOD is the moment before the
 * call, with `.done` the one after it; `@N` waits for the Nth time. `@/path` names a file that holds the list and is read
 * at each call, so that a running process can be armed. Each failpoint acts once; it is taken out of the file first.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { type Readable, Transform } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { SlError } from '@silverlining/protocol';

interface Failpoint {
  /** As it was written. */
  text: string;
  point: string;
  /** The how-manieth time it is reached. */
  nth: number;
  /** May change the arguments of the call. */
  act(args: unknown[]): Promise<void>;
}

const FORM =
  /^(?<point>[a-z]+(?:\.[a-z-]+)+)(?:@(?<nth>[1-9]\d*))?=(?<action>kill|sleep|flip|ENOSPC|error)(?::(?<number>\d+))?$/i;
/** Actions that take a number. */
const NUMBERED = new Set(['sleep', 'flip']);

/** The failpoints of a list; throws when one of them is none, so that no test passes because of a slip. */
export function parseFailpoints(list: string): Failpoint[] {
  const entries = list.split(/[,\s]+/).filter((text) => text !== '');
  return entries.map((text) => {
    const { point = '', nth = '1', action = '', number } = FORM.exec(text)?.groups ?? {};
    const isNumbered = number !== undefined;
    if (point === '' || NUMBERED.has(action) !== isNumbered) throw new Error(`${text} is no failpoint`);
    const act = async (args: unknown[]) => ACTIONS[action]?.(Number(number), args);
    return { text, point, nth: Number(nth), act };
  });
}

const ACTIONS: Record<string, (number: number, args: unknown[]) => Promise<void>> = {
  kill: () => {
    process.kill(process.pid, 'SIGKILL');
    // The signal ends this process; nothing of it may go on until then.
    return new Promise(() => undefined);
  },
  sleep: (ms) => sleep(ms),
  flip: async (offset, args) => {
    const stream = args[0] as Readable;
    args[0] = stream.compose(flipAt(offset));
  },
  ENOSPC: () => Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })),
  error: () => Promise.reject(new SlError('E_INTERNAL', 'a failpoint')),
};

/** Flips the bits of the byte at the offset, as failing memory would. */
function flipAt(offset: number): Transform {
  let position = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const at = offset - position;
      position += chunk.length;
      const byte = chunk[at];
      if (byte === undefined) return done(null, chunk);
      const flipped = Buffer.from(chunk);
      flipped[at] = byte ^ 0xff;
      done(null, flipped);
    },
  });
}

/** What is armed in this process. */
export class Failpoints {
  readonly #file: string | undefined;
  #armed: Failpoint[] = [];
  readonly #reached = new Map<string, number>();

  constructor(setting = process.env.SL_FAILPOINT ?? '') {
    this.#file = setting.startsWith('@') ? setting.slice(1) : undefined;
    if (this.#file === undefined) this.#armed = parseFailpoints(setting);
  }

  /** The port with its methods as failpoints. `nameOf` gives another name than the method's to a call. */
  wrap<T extends object>(
    name: string,
    port: T,
    nameOf: (method: string, args: readonly unknown[]) => string = (it) => it,
  ): T {
    return new Proxy(port, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property);
        if (typeof value !== 'function' || typeof property !== 'string') return value;
        return (...args: unknown[]) => {
          const call = (): unknown => value.apply(target, args);
          const point = `${name}.${nameOf(property, args)}`;
          return this.#armedAt(point) ? this.#around(point, args, call) : call();
        };
      },
    });
  }

  async #around(point: string, args: unknown[], call: () => unknown): Promise<unknown> {
    await this.#reach(point, args);
    const result = await call();
    await this.#reach(`${point}.done`, args);
    return result;
  }

  /** Methods of which nobody wants anything stay as they are: some of them are synchronous. */
  #armedAt(point: string): boolean {
    if (this.#file !== undefined) this.#armed = parseFailpoints(readIfThere(this.#file));
    return this.#armed.some((it) => it.point === point || it.point === `${point}.done`);
  }

  async #reach(point: string, args: unknown[]): Promise<void> {
    const due = this.#armed.filter((it) => it.point === point).filter((it) => this.#count(it) === it.nth);
    for (const it of due) {
      this.#disarm(it);
      process.stdout.write(`failpoint ${it.text}\n`);
      await it.act(args);
    }
  }

  #count({ text }: Failpoint): number {
    const times = (this.#reached.get(text) ?? 0) + 1;
    this.#reached.set(text, times);
    return times;
  }

  #disarm(taken: Failpoint): void {
    this.#reached.delete(taken.text);
    this.#armed = this.#armed.filter((it) => it.text !== taken.text);
    if (this.#file !== undefined) writeFileSync(this.#file, this.#armed.map((it) => it.text).join(','));
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
