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
  /** More than one are used in turn, as by a visitor whose browser knows several. */
  address: string | readonly string[];
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
  // In turn: of those that a burst opened none is idle until the server closes it, just as the next burst wants it.
  const agent = new Agent({ keepAlive: true, maxSockets: 64, scheduling: 'fifo' });
  const open = new Set<Promise<void>>();
  const started = performance.now();
  const addresses = [address].flat();
  let sent = 0;
  let turn = 0;

  const send = async (): Promise<void> => {
    const began = performance.now();
    const at = addresses[turn++ % addresses.length] ?? '';
    const answer = await ask({ address: at, host, path, agent, timeout: 20_000 }).catch((error: Error) => error);
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

/**
 * Judges a log: `order` has the releases as they were switched to; one may be switched to again. An answer fits when the switches can
 * have been at such times that no request got a release after its successor had answered one that was complete before it began.
 */
export function judge(log: readonly Logged[], order: readonly string[]): Verdict {
  const failed = log.filter((it) => it.status === 0 || it.status >= 500);
  const known = log.filter((it) => order.includes(it.release));
  const begun = known.toSorted((a, b) => a.began - b.began);
  const ended = known.toSorted((a, b) => a.ended - b.ended);
  const places = new Map<Logged, number>();
  const stale: Logged[] = [];
  let reached = 0;
  let next = 0;
  for (const it of begun) {
    for (let done = ended[next]; done !== undefined && done.ended < it.began; done = ended[++next])
      reached = Math.max(reached, places.get(done) ?? 0);
    const place = order.indexOf(it.release, reached);
    if (place < 0) stale.push(it);
    else places.set(it, place);
  }
  return { requests: log.length, failed, stale };
}

export interface Visits {
  /** Where the site is at first. */
  first: string;
  /** Where it is going to be, as far as that is known. */
  next: () => Promise<string>;
  host: string;
  /** What has to answer. */
  release: string;
}

/** Visits of somebody who knows both addresses of a site that moves, one after the other while it does. Resolves with those without an answer. */
export async function visitWhile(moving: Promise<unknown>, { first, next, host, release }: Visits): Promise<string[]> {
  /** Why there was no answer; undefined where there was one. */
  const visit = async (address: string) => {
    // A port that is not open (yet) says nothing at all.
    const answer = await ask({ address, host, timeout: 2000 }).catch((error: Error) => error);
    if (answer instanceof Error) return answer.message;
    return answer.release === release && answer.status === 200 ? undefined : `${answer.status} ${answer.release}`;
  };
  const missed: string[] = [];
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  moving.then(end, end);
  while (!isOver) {
    const there = await next();
    // Who takes over after the first try, and before the second one, answers the third.
    const why = (await visit(there)) && (await visit(first)) && (await visit(there));
    if (why !== undefined) missed.push(why);
  }
  await moving;
  return missed;
}
