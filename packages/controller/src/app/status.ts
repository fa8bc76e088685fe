/** `sl status`: what the agents last said of their nodes, against what should be. */
import { type HealthReport, SlError, type StatusResult } from '@silverlining/protocol';
import { clockComplaint } from '../core/clock-skew.ts';
import { advertised } from '../core/controller-address.ts';
import { disputes } from '../core/release/dispute.ts';
import type { AgentSession, NodeRecord, SetRecord } from '../ports.ts';
import { type ControllerDeps, ofProvider } from './deps.ts';
import { isAwaited } from './grace.ts';
import { noticesOf } from './notices.ts';
import { takesOrders } from './trust.ts';

const PROBE_DEADLINE = 3_000;

export async function status(deps: ControllerDeps, name: string): Promise<StatusResult> {
  const set = await deps.store.set(name);
  if (set === undefined) throw unknownSet(name);
  const records = inFileOrder(set, await deps.store.nodes(name));
  const heard = await hear(deps, records);
  const deploys = await deps.store.deploys(name);
  const wanted = set.config.nodes.filter((node) => !records.some((record) => record.name === node.name));
  // Those of the file are not in force before `sl up`.
  const { locations } = set.topology ?? set.config;
  return {
    set: name,
    controller: {
      version: deps.version,
      pid: process.pid,
      url: advertised(set.config.controller).url ?? deps.url(),
      upSince: deps.startedAt,
    },
    generation: set.topology?.generation ?? 0,
    ...(ofProvider(deps, set.config, 'keepsMachines') ? { keepsMachines: true } : {}),
    nodes: [
      ...records.map((record) => {
        const it = heard.get(record.uuid) ?? NOTHING_HEARD;
        const trusted = it.session !== undefined && takesOrders(deps, it.session);
        const held = deps.fleet.isHeld(record);
        const awaited = !held && isAwaited(deps, it.at);
        return nodeStatus(set, record, { ...it, held, awaited, takesOrders: trusted });
      }),
      ...wanted.map((node) => missingNode(node.name, node.roles)),
    ],
    apps: set.config.apps.map((app) => ({
      name: app.name,
      locations: locations.filter((it) => it.app === app.name).map((it) => `http://${it.host}${it.path}`),
      active: set.active[app.name] ?? null,
      notices: noticesOf(app.name, deploys),
      instances: instancesOf(records, heard, app.name),
    })),
  };
}

/** As the file names them; nodes that it no longer names stand last. */
function inFileOrder({ config }: SetRecord, records: readonly NodeRecord[]): NodeRecord[] {
  const place = new Map(config.nodes.map((node, i) => [node.name, i]));
  const placeOf = ({ name }: NodeRecord): number => place.get(name) ?? place.size;
  return [...records].sort((a, b) => placeOf(a) - placeOf(b));
}

export function unknownSet(name: string): SlError {
  return new SlError('E_NOT_FOUND', `this controller knows no set called ${name}; sl up makes one`);
}

type NodeStatus = StatusResult['nodes'][number];

interface Heard {
  session: AgentSession | undefined;
  health: HealthReport | undefined;
  /** When it was last heard, milliseconds since 1970. */
  at: number | undefined;
  /** What is wrong with its clock. */
  clock?: string | undefined;
}

/** What the controller knows beside it. */
interface Standing {
  held: boolean;
  awaited: boolean;
  takesOrders: boolean;
}
const NOTHING_HEARD: Heard = { session: undefined, health: undefined, at: undefined };

function nodeStatus(
  set: SetRecord,
  record: NodeRecord,
  { session, health, at, clock, held, awaited, takesOrders }: Heard & Standing,
): NodeStatus {
  const reasons = session === undefined ? [absence(record, { held, awaited })] : complaints(set, record, health);
  if (session !== undefined && !takesOrders)
    reasons.push('it takes no orders of this controller; sl up gives it the signing key');
  if (clock !== undefined) reasons.push(clock);
  return {
    name: record.name,
    address: record.address ?? null,
    roles: record.roles,
    state: stateOf(record, session, reasons, awaited),
    reasons,
    agent: session?.hello.version ?? null,
    generation: health?.generation ?? session?.hello.generation ?? null,
    lastSeen: at ?? null,
    load: health?.load ?? null,
    memory: health?.memory ?? null,
    disk: health?.disk ?? null,
  };
}

function stateOf(
  record: NodeRecord,
  session: AgentSession | undefined,
  reasons: readonly string[],
  awaited: boolean,
): NodeStatus['state'] {
  if (record.state !== 'enrolled') return 'missing';
  if (session === undefined) return awaited ? 'degraded' : 'down';
  return reasons.length === 0 ? 'healthy' : 'degraded';
}

function absence(record: NodeRecord, { held, awaited }: Pick<Standing, 'held' | 'awaited'>): string {
  if (record.state !== 'enrolled') return 'it was never set up to the end; sl up goes on with it';
  if (held)
    return 'two agents claim to be this node, so both are held back: was its disk copied? sl up lets the right one in';
  return awaited ? 'its agent has not connected since the controller started' : 'its agent is not connected';
}

function complaints(set: SetRecord, record: NodeRecord, health: HealthReport | undefined): string[] {
  if (health === undefined) return ['no health report yet'];
  const generation = set.topology?.generation ?? 0;
  return [
    ...health.units.filter((unit) => !unit.active).map((unit) => `${unit.name} is ${unit.state}`),
    ...health.apps
      .filter((app) => !app.healthy)
      .map((app) => `${app.instance}: ${app.error ?? `health path answered ${app.status ?? 'nothing'}`}`),
    ...missingApps(set, record, health),
    ...(health.generation === generation ? [] : [`topology generation ${health.generation}, not ${generation}`]),
    ...(disputes(set, health) ? ['it has in force what this controller did not commit; sl up sets that right'] : []),
    ...(hasMap(record) && health.epoch < set.epoch ? [`epoch ${health.epoch}, not ${set.epoch}`] : []),
  ];
}

/** Whether switches concern the node. */
function hasMap({ roles }: NodeRecord): boolean {
  return roles.includes('appserver') || roles.includes('balancer');
}

function missingApps(set: SetRecord, record: NodeRecord, health: HealthReport): string[] {
  if (!record.roles.includes('appserver')) return [];
  const here = new Set(health.apps.map((app) => app.instance));
  return Object.values(set.active)
    .filter((instance) => !here.has(instance))
    .map((instance) => `${instance} is not running`);
}

function missingNode(name: string, roles: string[]): NodeStatus {
  const unknown = {
    address: null,
    agent: null,
    generation: null,
    lastSeen: null,
    load: null,
    memory: null,
    disk: null,
  };
  return { name, roles, state: 'missing', reasons: ['it does not exist yet; sl up creates it'], ...unknown };
}

function instancesOf(records: readonly NodeRecord[], heard: Map<string, Heard>, app: string) {
  return records.flatMap(({ name, uuid }) => {
    const instances = heard.get(uuid)?.health?.instances.filter((it) => it.app === app) ?? [];
    return instances.map(({ instance, state }) => ({ node: name, instance, state }));
  });
}

/** Asked now; of an agent that is slow to answer, what it last said. */
async function hear(deps: ControllerDeps, records: readonly NodeRecord[]): Promise<Map<string, Heard>> {
  const options = { signal: AbortSignal.timeout(PROBE_DEADLINE), deadline: PROBE_DEADLINE };
  const found = await Promise.all(
    records.map(async ({ uuid, lastSeen }): Promise<[string, Heard]> => {
      const session = deps.fleet.session(uuid);
      const probed = session && (await deps.fleet.request(uuid, 'probe', {}, options).catch(() => undefined));
      if (probed === undefined) return [uuid, { session, health: session?.health, at: lastSeen }];
      const at = deps.clock.now();
      return [uuid, { session, health: probed.health, at, clock: clockComplaint(probed.health.clock, at) }];
    }),
  );
  return new Map(found);
}
