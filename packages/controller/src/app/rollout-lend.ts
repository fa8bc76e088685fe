/** A release that is gone back to is on nodes, and not here: one that lacks it gets it from another, through this controller. */
import { type ErrorCode, SlError } from '@silverlining/protocol';
import type { PackedRelease } from '../ports.ts';
import type { Take } from '../release-ports.ts';
import type { ControllerDeps } from './deps.ts';
import type { StageTarget } from './rollout-stage.ts';

const TRANSFER_OPEN = 15_000;
const DEADLINE = 60_000;
/** Bytes a millisecond of the slowest link that is waited for: about a megabit a second. */
const SLOWEST = 128;

/** The files whose bit is set in `missing`, whole; undefined where no node that answers has them. */
export async function borrow(
  deps: ControllerDeps,
  { target, node, missing }: { target: StageTarget; node: string; missing: string },
  signal: AbortSignal,
): Promise<PackedRelease | undefined> {
  const { instance, release, others } = target;
  const deadline = DEADLINE + release.bytes / SLOWEST;
  for (const lender of others.filter((it) => it !== node && hasIt(deps, it, target))) {
    try {
      const fetch = (take: Take) => fetchFrom(deps, { lender, instance, missing, take }, { signal, deadline });
      return await deps.source.borrow(release, missing, fetch);
    } catch (error) {
      if (!(error instanceof SlError && OF_LENDER.has(error.code)) || signal.aborted) throw error;
      deps.log.warn({ node: lender, instance, error: error.message }, 'it cannot lend this release');
    }
  }
  return undefined;
}

/** It lost some of it, it is older than the question, or it is gone: another node may do. */
const OF_LENDER: ReadonlySet<ErrorCode> = new Set([
  'E_NOT_FOUND',
  'E_UNKNOWN_TYPE',
  'E_NODE_DISCONNECTED',
  'E_DEADLINE',
]);

function hasIt({ fleet }: ControllerDeps, node: string, { instance, release }: StageTarget): boolean {
  const session = fleet.session(node);
  const { instances } = session?.health ?? session?.hello ?? { instances: [] };
  const here = instances.find((it) => it.instance === instance && it.digest === release.digest);
  return here !== undefined && here.state !== 'staging' && here.state !== 'failed';
}

interface Fetching {
  lender: string;
  instance: string;
  missing: string;
  take: Take;
}

async function fetchFrom(
  deps: ControllerDeps,
  { lender, instance, missing, take }: Fetching,
  { signal, deadline }: { signal: AbortSignal; deadline: number },
): Promise<void> {
  const transfer = deps.fleet.transfer(lender, { signal, deadline: TRANSFER_OPEN });
  const order = { instance, missing, transfer: transfer.id };
  // Only a refusal closes the stream here: an answer may overtake what was sent before it.
  const asked = deps.fleet.request(lender, 'lend', order, { signal, deadline }).catch((error: unknown) => {
    transfer.close();
    throw error;
  });
  const read = transfer.socket.then(async (socket) => {
    for await (const chunk of socket) await take(chunk);
  });
  const [answered, taken] = await Promise.allSettled([asked, read]);
  if (answered.status === 'rejected') throw answered.reason;
  if (taken.status === 'rejected') throw taken.reason;
}
