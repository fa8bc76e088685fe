/** The agent of the fault tests: the shipped one, with failpoints at its ports. */
import { readFileSync } from 'node:fs';
import * as z from 'zod/mini';
import { releasePaths } from '../../packages/agent/src/core/release/paths.ts';
import { runAgent } from '../../packages/agent/src/main.ts';
import { Failpoints } from './failpoints.ts';

const points = new Failpoints();
const ofEpoch = z.object({ epoch: z.number() });

/**
 * A switch to what is committed already is `handlers.switch-again`: with it balancers are asked, shortly after a node came back,
 * for what they have, and a failpoint that is meant for the deploy must not be reached by that.
 */
function nameOf(method: string, [body]: readonly unknown[]): string {
  if (method !== 'switch') return method;
  return ofEpoch.parse(body).epoch > committedEpoch() ? method : `${method}-again`;
}

function committedEpoch(): number {
  try {
    return ofEpoch.parse(JSON.parse(readFileSync(releasePaths().committed, 'utf8'))).epoch;
  } catch {
    // Nothing was ever committed.
    return 0;
  }
}

runAgent({
  releasePorts: (ports) => ({
    ...ports,
    store: points.wrap('store', ports.store),
    tree: points.wrap('tree', ports.tree),
    units: points.wrap('units', ports.units),
    journals: points.wrap('journals', ports.journals),
    proxy: points.wrap('proxy', ports.proxy),
    balancer: points.wrap('balancer', ports.balancer),
    places: points.wrap('places', ports.places),
    scripts: points.wrap('scripts', ports.scripts),
  }),
  handlers: (handlers) => points.wrap('handlers', handlers, nameOf),
});
