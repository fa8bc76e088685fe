/** A release that is gone back to is on nodes, and not here: one that lacks it gets it from another, through this controller. */
import { type ErrorCode, SlError } from '@silverlining/protocol';
import type { PackedRelease } from '../ports.ts';
import { readTransfer, SLOWEST } from './bulk.ts';
import type { ControllerDeps } from './deps.ts';
import { reportedOn, type StageTarget } from './stage-target.ts';

const DEADLINE = 60_000;

/** The files whose bit is set in `missing`, whole; undefined where no node that answers has them. */
export async function borrow(
  deps: ControllerDeps,
  { target, node, missing }: { target: StageTarget; node: string; missing: string },
  signal: AbortSignal,
): Promise<PackedRelease | undefined> {
  const { instance, release, others } = target;
  const limits = { signal, deadline: DEADLINE + release.bytes / SLOWEST };
  for (const lender of others.filter((it) => it !== node && hasIt(deps, it, target))) {
    try {
      return await deps.source.borrow(release, missing, (take) =>
        readTransfer(deps, lender, limits, {
          request: (transfer) => deps.fleet.request(lender, 'lend', { instance, missing, transfer }, limits),
          async read(socket) {
            for await (const chunk of socket) await take(chunk);
          },
        }),
      );
    } catch (error) {
      if (!(error instanceof SlError && OF_LENDER.has(error.code)) || signal.aborted) throw error;
      deps.log.warn({ node: lender, instance, error: error.message }, 'it cannot lend this release');
    }
  }
  return undefined;
}

/** It lost some of it, it sends what is none of it, it is older than the question, or it is gone: another node may do. */
const OF_LENDER: ReadonlySet<ErrorCode> = new Set([
  'E_NOT_FOUND',
  'E_TAR_TOO_LARGE',
  'E_UNKNOWN_TYPE',
  'E_NODE_DISCONNECTED',
  'E_DEADLINE',
]);

function hasIt({ fleet }: ControllerDeps, node: string, { instance, release }: StageTarget): boolean {
  const here = reportedOn(fleet, node, { instance, digest: release.digest });
  return here !== undefined && here.state !== 'staging' && here.state !== 'failed';
}
