/** Requests that bring more than fits a control frame. */
import type { Duplex } from 'node:stream';
import { SlError } from '@silverlining/protocol';
import pLimit from 'p-limit';
import type { ControllerDeps } from './deps.ts';

/** Bytes a millisecond of the slowest link that is waited for: about a megabit a second. */
export const SLOWEST = 128;
/** Bytes a millisecond at which a node reads and hashes what it has, at least: what a shared disk of a small virtual machine gives. */
export const READS = 20_000;
/** Bulk sockets that are fed at once: each takes some 100 KB, and the memory of a thousand would be in pieces ever after. */
const AT_ONCE = 64;

/** Of the process, as its memory is. */
const limit = pLimit(AT_ONCE);

/** Of the request; its socket is waited for as long, since an agent may have other work for the app before it. */
interface Limits {
  signal: AbortSignal;
  /** Milliseconds. */
  deadline: number;
}

/**
 * Makes a request that names a bulk socket and feeds the socket once the agent opened it. What the agent answers is the
 * outcome, unless what was to be sent could not be read: then the agent only saw the echo of that.
 */
export async function withTransfer<R>(
  deps: Pick<ControllerDeps, 'fleet'>,
  node: string,
  limits: Limits,
  work: { request: (transfer: string) => Promise<R>; send: (socket: Duplex) => Promise<void> },
): Promise<R> {
  const { both } = await limit(async () => {
    const transfer = deps.fleet.transfer(node, limits);
    const sent = transfer.socket.then(work.send);
    const answered = work.request(transfer.id).finally(() => transfer.close());
    const settled = Promise.allSettled([sent, answered]);
    // What the node does with it may take minutes, in which others get theirs.
    await Promise.allSettled([sent]);
    return { both: settled };
  });
  const [sent, answered] = await both;
  if (answered.status === 'fulfilled') return answered.value;
  const ours = sent.status === 'rejected' && sent.reason instanceof SlError && OURS.has(sent.reason.code);
  throw ours ? sent.reason : answered.reason;
}

/** The other way round: makes a request that names a bulk socket, and reads what the agent sends into it, to its end. */
export async function readTransfer(
  deps: Pick<ControllerDeps, 'fleet'>,
  node: string,
  limits: Limits,
  work: { request: (transfer: string) => Promise<unknown>; read: (socket: Duplex) => Promise<void> },
): Promise<void> {
  const transfer = deps.fleet.transfer(node, limits);
  // Only a refusal closes the stream here: an answer may overtake what was sent before it.
  const asked = work.request(transfer.id).catch((error: unknown) => {
    transfer.close();
    throw error;
  });
  const [answered, read] = await Promise.allSettled([asked, transfer.socket.then(work.read)]);
  if (answered.status === 'rejected') throw answered.reason;
  if (read.status === 'rejected') throw read.reason;
}

/** What can be wrong with what was to be sent: it changed, or there is no room to pack it. */
const OURS: ReadonlySet<string> = new Set(['E_APP_CONFIG', 'E_DISK_FULL']);
