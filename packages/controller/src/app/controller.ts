/** The verbs of the API, put together from the files beside this one, and what goes on between them. */

import type { ControllerService, OperationContext, OperationRegistry } from '../service.ts';
import { deploy } from './deploy.ts';
import { deploys } from './deploys.ts';
import type { ControllerDeps } from './deps.ts';
import { down } from './down.ts';
import { greetAgents } from './greet.ts';
import { logs } from './logs.ts';
import { planSet } from './plan.ts';
import { recover } from './recover.ts';
import { rollback } from './rollback.ts';
import { DRAIN, settleSet } from './settle.ts';
import { status } from './status.ts';
import { up } from './up.ts';

export interface ControllerOptions {
  /** What runs now, so that nobody tidies behind it. */
  operations: Pick<OperationRegistry, 'running'>;
  /** Aborted when the controller stops. */
  signal: AbortSignal;
  /** Called after an operation left no set behind: there is nothing more to do. */
  onIdle: () => void;
}

/** Settles what an earlier controller left in doubt, then answers. Agents may connect once it has resolved. */
export async function createController(deps: ControllerDeps, options: ControllerOptions): Promise<ControllerService> {
  const upSince = deps.clock.now();
  await recover(deps);
  greetAgents(deps, (set) => isBusy(options, set), options.signal);
  const settling = <R>(set: string, work: Promise<R>): Promise<R> =>
    work.finally(() => settleLater(deps, options, set));
  return {
    plan: (request, { signal }) => planSet(deps, request, signal),
    status: ({ set }) => status(deps, set, upSince),
    deploys: ({ set }) => deploys(deps, set),
    up: (request, op) => settling(request.set.name, up(deps, op, request)),
    deploy: (request, op) => settling(request.set.name, deploy(deps, op, request)),
    rollback: (request, op) => settling(request.set, rollback(deps, op, request)),
    down: (request, op) => downThenIdle(deps, op, request.set, options),
    logs: (request, { emit, signal }) => logs(deps, request, emit, signal),
  };
}

function isBusy({ operations }: ControllerOptions, set: string): boolean {
  return operations.running().some((it) => it.set === set);
}

/** After the drain, unless something new runs by then: that settles after itself. */
function settleLater(deps: ControllerDeps, options: ControllerOptions, set: string): void {
  const work = async () => {
    await deps.clock.sleep(DRAIN, options.signal);
    if (!isBusy(options, set)) await settleSet(deps, set, options.signal);
  };
  work().catch((error: unknown) => {
    if (!options.signal.aborted)
      deps.log.warn({ set, error: String(error) }, 'settling failed; the next one makes up for it');
  });
}

async function downThenIdle(deps: ControllerDeps, op: OperationContext, set: string, options: ControllerOptions) {
  const result = await down(deps, op, set);
  if ((await deps.store.sets()).length === 0) options.onIdle();
  return result;
}
