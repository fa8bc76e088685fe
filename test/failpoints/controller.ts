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

/** Requests are points by what is asked: `fleet.switch`, not `fleet.request`. */
function nameOf(method: string, args: readonly unknown[]): string {
  return method === 'request' ? String(args[1]) : method;
}

await runController({
  agentEntry: fileURLToPath(new URL('agent.ts', import.meta.url)),
  deps: (deps) => ({
    ...deps,
    store: points.wrap('store', deps.store),
    fleet: points.wrap('fleet', deps.fleet, nameOf),
    source: points.wrap('source', deps.source),
  }),
});
