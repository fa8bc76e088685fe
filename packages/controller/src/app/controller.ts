/** The verbs of the API, put together from the files beside this one, and what goes on between them. */

import type { ControllerService } from '../service.ts';
import { deploy } from './deploy.ts';
import { deploys, recordedOperation } from './deploys.ts';
import type { ControllerDeps } from './deps.ts';
import { down } from './down.ts';
import { greetAgents } from './greet.ts';
import { createIdleness } from './idleness.ts';
import { logs } from './logs.ts';
import { planSet } from './plan.ts';
import { recover } from './recover.ts';
import { revert } from './revert.ts';
import { rollback } from './rollback.ts';
import { createSettler } from './settler.ts';
import { status } from './status.ts';
import { up } from './up.ts';
import { waitForVerdict } from './verdict.ts';
import type { Failing } from './watch.ts';

export interface ControllerOptions {
  /** Aborted when the controller stops. */
  signal: AbortSignal;
  /** Called some time after an operation left no set behind: there is nothing more to do. */
  onIdle(): void;
}

/** Settles what an earlier controller left in doubt, then answers. Agents may connect once it has resolved. */
export async function createController(deps: ControllerDeps, options: ControllerOptions): Promise<ControllerService> {
  await recover(deps);
  const reverts = new Set<Promise<void>>();
  const takeBack = (set: string, failing: Failing): void => {
    const work = during(set, () => revert(deps, set, failing))
      .catch((error) => deps.log.warn({ set, error: String(error) }, 'it could not be rolled back by itself'))
      .finally(() => reverts.delete(work));
    reverts.add(work);
  };
  const settler = createSettler(deps, options.signal, takeBack);
  greetAgents(deps, settler, options.signal);
  const idleness = createIdleness({ ...deps, ...options });
  const during = <R>(set: string, work: () => Promise<R>) => idleness.during(() => settler.during(set, work));
  const watched = waitForVerdict(deps);
  return {
    noteClient: () => idleness.asked(),
    plan: (request, { signal }) => planSet(deps, request, signal),
    async status({ set }) {
      // Asking for a set that is not there, as `sl down` does first, may be all that this controller was started for.
      if ((await deps.store.sets()).length === 0) idleness.watch();
      return status(deps, set);
    },
    deploys: (request) => deploys(deps, request),
    up: ({ watch, ...request }, op) => {
      const set = request.set.name;
      return watched({ watch, set, whole: true }, op, () => during(set, () => up(deps, op, request)));
    },
    deploy: ({ watch, ...request }, op) => {
      const set = request.set.name;
      return watched({ watch, set }, op, () => during(set, () => deploy(deps, op, request)));
    },
    rollback: (request, op) => watched(request, op, () => during(request.set, () => rollback(deps, op, request))),
    down: (request, op) => during(request.set, () => down(deps, op, request.set)).finally(() => idleness.watch()),
    logs: (request, context) => logs(deps, request, context),
    recorded: (operation) => recordedOperation(deps, operation),
    async reverted() {
      await Promise.all(reverts);
    },
  };
}
