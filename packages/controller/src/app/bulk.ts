/** Requests that bring more than fits a control frame. */
import type { Duplex } from 'node:stream';
import { SlError } from '@silverlining/protocol';
import pLimit from 'p-limit';
import type { Clock, PackedRelease } from '../ports.ts';
import type { ControllerDeps } from './deps.ts';

/** Bytes a millisecond of the slowest link that is waited for: about a megabit a second. */
export const SLOWEST = 128;
/** Bytes a millisecond at which a node reads and hashes what it has, at least: what a shared disk of a small virtual machine gives. */
export const READS = 20_000;
/** Bulk sockets that are fed at once: each takes more than a frame, and the memory of a thousand would be in pieces ever after. */
export const AT_ONCE = 32;
/** Milliseconds after which a transfer that does not get on leaves its place to another one, and goes on beside that when it can. */
export const STUCK = 30_000;

/** Of the process, as its memory is. */
const limit = pLimit(AT_ONCE);

/** Of the request; its socket is waited for as long, since an agent may have other work for the app before it. */
interface Limits {
  signal: AbortSignal;
  /** Milliseconds. */
  deadline: number;
}

interface Work<R> {
  request(transfer: string): Promise<R>;
  /** Says each time when the socket has taken something, where that takes long. */
  send(socket: Duplex, moved: () => void): Promise<void>;
}

/**
 * Makes a request that names a bulk socket and feeds the socket once the agent opened it. What the agent answers is the
 * outcome, unless what was to be sent could not be read: then the agent only saw the echo of that.
 */
export async function withTransfer<R>(
  deps: Pick<ControllerDeps, 'fleet' | 'clock'>,
  node: string,
  limits: Limits,
  work: Work<R>,
): Promise<R> {
  const { both } = await limit(async () => {
    const transfer = deps.fleet.transfer(node, limits);
    let moves = 0;
    const sent = transfer.socket.then((socket) => work.send(socket, () => moves++));
    const answered = work.request(transfer.id).finally(() => transfer.close());
    const settled = Promise.allSettled([sent, answered]);
    // What the node does with it may take minutes, in which others get theirs.
    await endOrStuck(deps.clock, sent, () => moves);
    return { both: settled };
  });
  const [sent, answered] = await both;
  if (answered.status === 'fulfilled') return answered.value;
  const ours = sent.status === 'rejected' && sent.reason instanceof SlError && OURS.has(sent.reason.code);
  throw ours ? sent.reason : answered.reason;
}

/** Sends what was packed with a request that names its socket; resolves with the answer, and with the bytes that went. */
export async function sendPacked<R>(
  deps: Pick<ControllerDeps, 'fleet' | 'clock'>,
  node: string,
  limits: Limits,
  { packed, request }: { packed: Pick<PackedRelease, 'send'>; request: Work<R>['request'] },
): Promise<{ reply: R; wire: number }> {
  let wire = 0;
  const send: Work<R>['send'] = (socket, moved) =>
    packed.send(socket, limits.signal, (bytes) => {
      wire += bytes;
      moved();
    });
  const reply = await withTransfer(deps, node, limits, { request, send });
  return { reply, wire };
}

/** Resolves when it has ended, or `moves` has stayed the same for so long. */
async function endOrStuck(clock: Pick<Clock, 'sleep'>, sent: Promise<void>, moves: () => number): Promise<void> {
  const over = new AbortController();
  const end = () => over.abort();
  sent.then(end, end);
  let before: number;
  do {
    before = moves();
    await clock.sleep(STUCK, over.signal).catch(() => undefined);
  } while (moves() !== before && !over.signal.aborted);
}

/** The other way round: makes a request that names a bulk socket, and reads what the agent sends into it, to its end. */
export async function readTransfer(
  deps: Pick<ControllerDeps, 'fleet'>,
  node: string,
  limits: Limits,
  work: { request: (transfer: string) => Promise<unknown>; read: (socket: Duplex) => Promise<void> },
): Promise<void> {
  const transfer = deps.fleet.transfer(node, limits);
  const failures: unknown[] = [];
  // Only a failure closes the stream here: an answer may overtake what was sent before it. What fails after it is its echo.
  const failed = (error: unknown): void => {
    failures.push(error);
    transfer.close();
  };
  const asked = work.request(transfer.id).catch(failed);
  const read = transfer.socket.then((socket) => work.read(socket).catch(failed));
  const [, opened] = await Promise.allSettled([asked, read]);
  if (failures.length > 0) throw failures[0];
  if (opened.status === 'rejected') throw opened.reason;
}

/** What can be wrong with what was to be sent: it changed, or there is no room to pack it. */
const OURS: ReadonlySet<string> = new Set(['E_APP_CONFIG', 'E_DISK_FULL']);
