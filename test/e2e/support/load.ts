/** A bounded load: so many requests a second at one address, every answer logged with when its request began. */
import { Agent } from 'node:http';
import { ask } from './http.ts';

export interface Logged {
  /** Monotonic milliseconds at which the request was sent, and at which its answer was complete. */
  began: number;
  ended: number;
  /** 0 when no complete answer came. */
  status: number;
  release: string;
  error?: string;
}

export interface Load {
  log: Logged[];
  /** Ends the load and resolves when every request has been answered. */
  stop(): Promise<Logged[]>;
}

export interface LoadOptions {
  address: string;
  host: string;
  path?: string;
  /** Requests a second. */
  rate: number;
  /** Milliseconds after which it stops by itself. */
  limit: number;
}

/** Starts a load at a constant rate: a late answer does not hold back the next request. */
export function startLoad({ address, host, path = '/', rate, limit }: LoadOptions): Load {
  const log: Logged[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const open = new Set<Promise<void>>();
  const started = performance.now();
  let sent = 0;

  const send = async (): Promise<void> => {
    const began = performance.now();
    const answer = await ask({ address, host, path, agent, timeout: 20_000 }).catch((error: Error) => error);
    const ended = performance.now();
    if (answer instanceof Error) log.push({ began, ended, status: 0, release: '', error: answer.message });
    else log.push({ began, ended, status: answer.status, release: answer.release });
  };
  const timer = setInterval(() => {
    const elapsed = performance.now() - started;
    if (elapsed > limit) return clearInterval(timer);
    for (const due = (elapsed / 1000) * rate; sent < due; sent++) {
      const one: Promise<void> = send().finally(() => open.delete(one));
      open.add(one);
    }
  }, 5);

  const stop = async (): Promise<Logged[]> => {
    clearInterval(timer);
    await Promise.all(open);
    agent.destroy();
    return log;
  };
  return { log, stop };
}

export interface Verdict {
  requests: number;
  /** No answer, or a status of 500 and above. */
  failed: Logged[];
  /** Answers of an older release to requests that began after an answer of a newer one was complete. */
  stale: Logged[];
}

/** Judges a log: `order` has the releases from old to new, as they were switched to. */
export function judge(log: readonly Logged[], order: readonly string[]): Verdict {
  const failed = log.filter((it) => it.status === 0 || it.status >= 500);
  const seen = order.map((release) => Math.min(...log.filter((it) => it.release === release).map((it) => it.ended)));
  const stale = log.filter((it) => {
    const index = order.indexOf(it.release);
    return index >= 0 && seen.some((first, newer) => newer > index && it.began > first);
  });
  return { requests: log.length, failed, stale };
}
