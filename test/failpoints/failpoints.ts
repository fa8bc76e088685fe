/**
 * Failpoints: every method of a port is one. A test build puts a wrapper around its ports that does harm where it is told to;
 * what is shipped has neither the wrapper nor anything that reads `SL_FAILPOINT`.
 *
 * `SL_FAILPOINT` is a list such as `journals.put=kill,store.commit.done@2=sleep:500`: PORT.METHOD is the moment before the
 * call, with `.done` the one after it; `@N` waits for the Nth time. `@/path` names a file that holds the list and is read
 * at each call, so that a running process can be armed. Each failpoint acts once; it is taken out of the file first.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { SlError } from '@silverlining/protocol';

interface Failpoint {
  /** As it was written. */
  text: string;
  point: string;
  /** The how-manieth time it is reached. */
  nth: number;
  act(): Promise<void>;
}

const FORM =
  /^(?<point>[a-z]+(?:\.[a-z-]+)+)(?:@(?<nth>[1-9]\d*))?=(?<action>kill|sleep|ENOSPC|error)(?::(?<ms>\d+))?$/i;

/** The failpoints of a list; throws when one of them is none, so that no test passes because of a slip. */
export function parseFailpoints(list: string): Failpoint[] {
  const entries = list.split(/[,\s]+/).filter((text) => text !== '');
  return entries.map((text) => {
    const { point = '', nth = '1', action = '', ms } = FORM.exec(text)?.groups ?? {};
    if (point === '' || (action === 'sleep') !== (ms !== undefined)) throw new Error(`${text} is no failpoint`);
    return { text, point, nth: Number(nth), act: () => ACTIONS[action]?.(Number(ms)) ?? Promise.resolve() };
  });
}

const ACTIONS: Record<string, (ms: number) => Promise<void>> = {
  kill: () => {
    process.kill(process.pid, 'SIGKILL');
    // The signal ends this process; nothing of it may go on until then.
    return new Promise(() => undefined);
  },
  sleep: (ms) => sleep(ms),
  ENOSPC: () => Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })),
  error: () => Promise.reject(new SlError('E_INTERNAL', 'a failpoint')),
};

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
          return this.#armedAt(point) ? this.#around(point, call) : call();
        };
      },
    });
  }

  async #around(point: string, call: () => unknown): Promise<unknown> {
    await this.#reach(point);
    const result = await call();
    await this.#reach(`${point}.done`);
    return result;
  }

  /** Methods of which nobody wants anything stay as they are: some of them are synchronous. */
  #armedAt(point: string): boolean {
    if (this.#file !== undefined) this.#armed = parseFailpoints(readIfThere(this.#file));
    return this.#armed.some((it) => it.point === point || it.point === `${point}.done`);
  }

  async #reach(point: string): Promise<void> {
    const due = this.#armed.filter((it) => it.point === point).filter((it) => this.#count(it) === it.nth);
    for (const it of due) {
      this.#disarm(it);
      process.stdout.write(`failpoint ${it.text}\n`);
      await it.act();
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
