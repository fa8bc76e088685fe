/** The agent of the fault tests: the shipped one, with failpoints at its ports. */
import { runAgent } from '../../packages/agent/src/main.ts';
import { Failpoints } from './failpoints.ts';

const points = new Failpoints();

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
  handlers: (handlers) => points.wrap('handlers', handlers),
});
