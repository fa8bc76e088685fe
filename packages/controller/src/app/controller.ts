/** The verbs of the API, put together from the files beside this one, and what goes on between them. */

import type { ControllerService, OperationContext } from '../service.ts';
import { deploy } from './deploy.ts';
import { deploys, recordedOperation } from './deploys.ts';
import type { ControllerDeps } from './deps.ts';
import { down } from './down.ts';
import { greetAgents } from './greet.ts';
import { logs } from './logs.ts';
import { planSet } from './plan.ts';
import { recover } from './recover.ts';
import { rollback } from './rollback.ts';
import { createSettler, type Settler } from './settler.ts';
import { status } from './status.ts';
import { up } from './up.ts';

export interface ControllerOptions {
  /** Aborted when the controller stops. */
  signal: AbortSignal;
  /** Called after an operation left no set behind: there is nothing more to do. */
  onIdle: () => void;
}

/** Settles what an earlier controller left in doubt, then answers. Agents may connect once it has resolved. */
export async function createController(deps: ControllerDeps, options: ControllerOptions): Promise<ControllerService> {
  await recover(deps);
  const settler = createSettler(deps, options.signal);
  greetAgents(deps, settler, options.signal);
  return {
    plan: (request, { signal }) => planSet(deps, request, signal),
    status: ({ set }) => status(deps, set),
    deploys: ({ set }) => deploys(deps, set),
    up: (request, op) => settler.during(request.set.name, () => up(deps, op, request)),
    deploy: (request, op) => settler.during(request.set.name, () => deploy(deps, op, request)),
    rollback: (request, op) => settler.during(request.set, () => rollback(deps, op, request)),
    down: (request, op) => downThenIdle(deps, op, request.set, { settler, onIdle: options.onIdle }),
    logs: (request, { emit, signal }) => logs(deps, request, emit, signal),
    recorded: (operation) => recordedOperation(deps, operation),
  };
}

async function downThenIdle(
  deps: ControllerDeps,
  op: OperationContext,
  set: string,
  { settler, onIdle }: { settler: Settler; onIdle: () => void },
) {
  const result = await settler.during(set, () => down(deps, op, set));
  if ((await deps.store.sets()).length === 0) onIdle();
  return result;
}
