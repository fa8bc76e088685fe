/** `sl plan`: looks, and says what `sl up` would do. Changes nothing. */
import { type ApiRequest, type App, nodesWithRole, type Plan, type Topology } from '@silverlining/protocol';
import { workstationHostsLines } from '../core/hosts-lines.ts';
import { type ConnectedAgent, planUp } from '../core/plan/plan-up.ts';
import { buildTopology } from '../core/topology.ts';
import type { NodeRecord } from '../ports.ts';
import { convergeNodes, readSecrets } from './converge.ts';
import type { ControllerDeps } from './deps.ts';
import { formerFile } from './former-file.ts';
import { type Observed, observe } from './observe.ts';
import { differs } from './prepare.ts';
import { refuseTaken } from './taken-machines.ts';
import { takesOrders } from './trust.ts';

export async function planSet(
  deps: ControllerDeps,
  { set, deep }: ApiRequest<'plan'>,
  signal: AbortSignal,
): Promise<Plan> {
  const observed = await observe(deps, set, signal);
  await refuseTaken(deps, observed, signal);
  const current = observed.record?.topology;
  const topology = buildTopology(set, observed.nodes, { previous: current });
  const secrets = observed.record === undefined ? new Map() : await readSecrets(deps, set);
  const isNew = !set.nodes.every((it) => topology.nodes.some((node) => node.name === it.name));
  const wantedApps = new Set(set.apps.map((it) => it.name));
  const plan = planUp({
    ...{ set, records: observed.nodes, providerNodes: observed.providerNodes },
    keepsMachines: observed.provider.keepsMachines,
    connected: await connected(deps, observed.nodes),
    topology: { current: current?.generation, changes: isNew || topology !== current },
    apps: observed.apps.map((it) => ({
      name: it.app.name,
      active: it.active?.instance,
      changed: awaitsService(it.app, topology) || differs(it, { set, topology, secrets }),
      files: it.scanned.manifest.files.length,
    })),
    goneApps: Object.keys(observed.record?.active ?? {}).filter((app) => !wantedApps.has(app)),
    drift: deep ? await drift(deps, observed, signal) : new Map(),
    hosts: await hostsChange(deps, observed, isNew ? undefined : workstationHostsLines(topology)),
  });
  const former = await formerFile(deps, set, observed.record);
  return former === undefined ? plan : { ...plan, formerFile: former };
}

/** Whether a service that the app uses moves to a node that is yet to be made: then nobody knows its address. */
function awaitsService({ services }: App, { nodes }: Topology): boolean {
  return Object.keys(services).some((name) => nodesWithRole(nodes, `service:${name}`).length === 0);
}

/** Whether `sl up` will write /etc/hosts, which it leaves alone where it may not. Undefined lines are not known yet. */
async function hostsChange(deps: ControllerDeps, observed: Observed, lines: string[] | undefined): Promise<boolean> {
  const { set, hostsLines } = observed;
  const wanted = set.setEtcHosts ? lines : [];
  const changes = wanted === undefined || wanted.join('\n') !== hostsLines.join('\n');
  return changes && (await deps.hosts.writable());
}

async function connected(deps: ControllerDeps, nodes: readonly NodeRecord[]): Promise<Map<string, ConnectedAgent>> {
  const found = new Map<string, ConnectedAgent>();
  for (const { uuid } of nodes) {
    const session = deps.fleet.session(uuid);
    if (session === undefined) continue;
    found.set(uuid, { takesOrders: takesOrders(deps, session), update: await deps.agentUpdates.wanted(session) });
  }
  return found;
}

/** Resources that differ on each connected node of the topology that is in force; the nodes change nothing. */
async function drift(deps: ControllerDeps, observed: Observed, signal: AbortSignal): Promise<Map<string, number>> {
  const topology = observed.record?.topology;
  if (topology === undefined) return new Map();
  const inForce = (node: NodeRecord) => topology.nodes.some((it) => it.uuid === node.uuid);
  const nodes = observed.nodes.filter((node) => inForce(node) && deps.fleet.session(node.uuid) !== undefined);
  const differing = await convergeNodes(deps, { set: observed.set, topology, nodes, mode: 'check', signal });
  return new Map([...differing].map(([uuid, reports]) => [uuid, reports.length]));
}
