/**
 * The controller of the fault tests: the shipped one, with failpoints at its ports, and agents that have them too. Its clock
 * is wrong by `SL_CLOCK_AHEAD` milliseconds.
 */
import { fileURLToPath } from 'node:url';
import { runController } from '../../packages/controller/src/main.ts';
import { Failpoints } from './failpoints.ts';

const points = new Failpoints();
const ahead = Number(process.env.SL_CLOCK_AHEAD ?? 0);
const { now } = Date;
Date.now = () => now() + ahead;

/**
 * Requests are points by what is asked: `fleet.switch`, not `fleet.request`. What is asked while no deploy runs is
 * `fleet.switch-idle`: shortly after a node came back its balancers are asked for what they have, and a failpoint that is meant for
 * the deploy must not be reached by that.
 */
function nameOf(deploys: ReadonlyMap<string, unknown>) {
  return (method: string, args: readonly unknown[]): string => {
    if (method !== 'request') return method;
    return deploys.size > 0 ? String(args[1]) : `${args[1]}-idle`;
  };
}

await runController({
  agentEntry: fileURLToPath(new URL('agent.ts', import.meta.url)),
  deps: (deps) => ({
    ...deps,
    store: points.wrap('store', deps.store),
    fleet: points.wrap('fleet', deps.fleet, nameOf(deps.running)),
    source: points.wrap('source', deps.source),
  }),
});
