/** The agent: reads who it is, puts the parts together and runs until it is told to stop. `start.ts` starts it. */
import { join } from 'node:path';
import { topology as topologySchema, toSlError, VERSION } from '@silverlining/protocol';
import { keepSmall } from '@silverlining/system';
import * as z from 'zod/mini';
import { type Agent, createAgent } from './app/agent.ts';
import { createHandlers } from './app/handlers.ts';
import { createHealth } from './app/health.ts';
import { createReleases } from './app/releases.ts';
import { keepTopology } from './app/topology.ts';
import { type Due, dueSchema } from './core/converge/notifications.ts';
import { type AgentPaths, agentPaths } from './core/paths.ts';
import { installPackages } from './io/apt.ts';
import { systemClock } from './io/clock.ts';
import { type AgentConfig, readAgentConfig } from './io/identity.ts';
import { createLink } from './io/link.ts';
import { createNodeProbe } from './io/node-probe.ts';
import { createExclusive } from './io/release/exclusive.ts';
import { openReleasePorts } from './io/release/index.ts';
import { createConvergeHost } from './io/resources/table.ts';
import { createSelfUpdate } from './io/self-update.ts';
import { stateFile } from './io/state-file.ts';
import { daemonReload, execLater, unitAction } from './io/systemd.ts';
import { openTopologyFile } from './io/topology-file.ts';
import { CRASHED, countCrash, TAKE_BACK, takeBack, type UpdateHost } from './io/update-guard.ts';
import { feedWatchdog } from './io/watchdog.ts';
import type { Handlers, NodeView } from './ports.ts';
import type { ReleasePorts } from './release-ports.ts';

/** Milliseconds for a reply to leave before the process does. */
const LAST_WORDS = 500;

/** What a test build puts around the agent's parts. */
export interface Outfit {
  releasePorts(ports: ReleasePorts): ReleasePorts;
  handlers(handlers: Handlers): Handlers;
}

const AS_IT_IS: Outfit = { releasePorts: (ports) => ports, handlers: (handlers) => handlers };

/** Runs the agent; ends the process. With `--try` a new bundle is asked whether it can be loaded at all; being here is the answer. */
export function runAgent(outfit: Outfit = AS_IT_IS): void {
  if (process.argv.includes('--try')) return;
  run(outfit).catch((error: unknown) => {
    log(`stopped: ${toSlError(error).message}`);
    process.exit(1);
  });
}

async function run(outfit: Outfit): Promise<void> {
  const paths = agentPaths();
  const [task, update = ''] = process.argv.slice(2);
  if (task === TAKE_BACK || task === CRASHED) return guardUpdate(paths, task, update);
  const stop = new AbortController();
  process.on('SIGTERM', () => stop.abort());
  process.on('SIGINT', () => stop.abort());
  let agent: Agent | undefined;
  // Of a call that comes while releases are brought back nothing is left to do: it connects as soon as they are.
  process.on('SIGHUP', () => agent?.called());
  const config = await readAgentConfig(paths);
  feedWatchdog(stop.signal);
  log(`Silver Lining agent ${VERSION}: ${config.node} of ${config.set}, controller ${config.controllerUrl}`);
  const parts = await compose({ paths, config, outfit }, stop);
  agent = parts.agent;
  await agent.run(outfit.handlers(parts.handlers), stop.signal);
  process.exit(0);
}

/** This process is not the agent: it is what the bundle before a new one left behind. */
async function guardUpdate(paths: AgentPaths, task: typeof TAKE_BACK | typeof CRASHED, id: string): Promise<void> {
  const act = task === TAKE_BACK ? takeBack : countCrash;
  if (!(await act(paths, id, updateHost))) return;
  const what = task === TAKE_BACK ? 'did not come up' : 'crashed again and again';
  log(`the update ${what}: what was there before is back`);
}

interface Makings {
  paths: AgentPaths;
  config: AgentConfig;
  outfit: Outfit;
}

async function compose({ paths, config, outfit }: Makings, stop: AbortController) {
  const probe = createNodeProbe(paths, config.node);
  const update = await createSelfUpdate(paths, process.argv[1] ?? '', updateHost);
  const file = openTopologyFile(paths.topology, topologySchema);
  const topology = await keepTopology({ file, nodeName: config.node, exclusive: createExclusive() });
  const releases = await openReleases(topology.view, outfit);
  // All nodes of a set would collect at the same moment, and the deploy wait for it: they were greeted together.
  keepSmall({ signal: stop.signal, isBusy: () => releases.isStaging() });
  const watched = stateFile(join(paths.state, 'watched-units.json'), z.array(z.string()), []);
  const health = createHealth({ probe, releases, watched, generation: topology.generation });
  const agent = createAgent({
    link: createLink(paths, config),
    ...{ probe, releases, health, update, generation: topology.generation, clock: systemClock, log },
    restart: () => stop.abort(),
  });
  const handlers = createHandlers({
    ...{ releases, topology, health, probe, update, log, welcomed: agent.welcomed },
    host: createConvergeHost(paths.state),
    due: stateFile<Due[]>(join(paths.state, 'due-notifications.json'), dueSchema, []),
    leave: () => setTimeout(() => stop.abort(), LAST_WORDS),
  });
  return { agent, handlers };
}

/** The agent connects even where its releases could not be brought back: somebody has to be able to mend that. */
async function openReleases(node: NodeView, outfit: Outfit) {
  const ports = await openReleasePorts({
    node,
    installPackages: async (names, signal) => void (await installPackages(names, { signal, say: log, replace: true })),
    warn: log,
  });
  const releases = createReleases(outfit.releasePorts(ports));
  await releases.recover().catch((error: unknown) => log(`releases: ${toSlError(error).message}`));
  return releases;
}

/** The journal adds the time. */
function log(text: string): void {
  process.stdout.write(`${text}\n`);
}

const updateHost: UpdateHost = {
  later: execLater,
  restartAgent: () => unitAction('restart', 'silver-agent.service'),
  reloadUnits: () => daemonReload(),
};
