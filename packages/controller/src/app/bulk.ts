/** Requests that bring more than fits a control frame. */
import type { Duplex } from 'node:stream';
import { SlError } from '@silverlining/protocol';
import pLimit from 'p-limit';
import type { ControllerDeps } from './deps.ts';

const TRANSFER_OPEN = 15_000;
/** Bulk sockets that are fed at once: each takes some 100 KB, and the memory of a thousand would be in pieces ever after. */
const AT_ONCE = 64;

/** Of the process, as its memory is. */
const limit = pLimit(AT_ONCE);

/**
 * Makes a request that names a bulk socket and feeds the socket once the agent opened it. What the agent answers is the
 * outcome, unless what was to be sent could not be read: then the agent only saw the echo of that.
 */
export async function withTransfer<R>(
  deps: Pick<ControllerDeps, 'fleet'>,
  node: string,
  signal: AbortSignal,
  work: { request: (transfer: string) => Promise<R>; send: (socket: Duplex) => Promise<void> },
): Promise<R> {
  const { both } = await limit(async () => {
    const transfer = deps.fleet.transfer(node, { signal, deadline: TRANSFER_OPEN });
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

/** What can be wrong with what was to be sent: it changed, or there is no room to pack it. */
const OURS: ReadonlySet<string> = new Set(['E_APP_CONFIG', 'E_DISK_FULL']);
