/** One run: connect, `sl up`, rest, pushes of a configuration, a restart of the controller. */
import { setTimeout as sleep } from 'node:timers/promises';
import { runCli } from './cli.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { enrolAll } from './identities.ts';
import { type PushFigures, pushConfiguration } from './push.ts';
import { type Simulators, startSimulators } from './simulators.ts';
import { createWorkspace, type Workspace } from './workspace.ts';

export interface Figures {
  agents: number;
  /** Seconds from the agents' start until all are welcome. */
  connect: number;
  up: { nodes: number; seconds: number; again: number; others: number };
  /** Bytes. `peak` is the most until the restart. */
  memory: { rest: number; peak: number };
  /** Cores. */
  cpuAtRest: number;
  push: PushFigures;
  /** Seconds from the controller's end until all are welcome again; connections that came to nothing meanwhile. */
  restart: { seconds: number; cpu: number; turnedAway: Record<string, number>; peak: number };
}

export interface MeasureOptions {
  agents: number;
  rest: number;
  profile: string | undefined;
  say(text: string): void;
}

const PUSHES = 3;
const CONNECT_DEADLINE = 600_000;
/** Milliseconds until what an operation leaves to be done, as settling, is done too. */
const CALM = 20_000;

export async function measure(options: MeasureOptions): Promise<Figures> {
  const workspace = await createWorkspace(options.agents);
  options.say(`enrolling ${options.agents} nodes`);
  await enrolAll(workspace);
  const running: { stop(): Promise<void> }[] = [];
  try {
    const daemon = await startDaemon(workspace, options.profile);
    running.push(daemon);
    const url = `wss://127.0.0.1:${daemon.port}`;
    const simulators = await startSimulators(workspace.agentsFile, options.agents, url);
    running.push(simulators);
    return await phases({ workspace, daemon, simulators, running, ...options });
  } finally {
    await Promise.allSettled(running.reverse().map((it) => it.stop()));
    await workspace.clear();
  }
}

interface Run extends MeasureOptions {
  workspace: Workspace;
  daemon: Daemon;
  simulators: Simulators;
  running: { stop(): Promise<void> }[];
}

async function phases(run: Run): Promise<Figures> {
  const { agents, daemon, simulators, workspace, say } = run;
  say('connecting');
  const connect = await timed(async () => {
    await simulators.start();
    await simulators.allWelcome(agents, CONNECT_DEADLINE);
  });
  say(`all connected after ${connect.toFixed(1)} s; sl up`);
  const up = await firstUp(run);
  say(`sl up: ${JSON.stringify(up)}; resting`);
  await sleep(CALM);
  const before = daemon.cpu();
  await sleep(run.rest * 1000);
  const cpuAtRest = (daemon.cpu() - before) / run.rest;
  const { now: rest } = daemon.memory();
  say(`at rest: ${(rest / 2 ** 20).toFixed(0)} MiB, ${cpuAtRest.toFixed(3)} cores; pushing`);
  const push = await pushConfiguration({ workspace, daemon, simulators, times: PUSHES, say });
  const { peak } = daemon.memory();
  return { agents, connect, up, memory: { rest, peak }, cpuAtRest, push, restart: await restart(run) };
}

/** The first set by the command line, as a user does; the others, if any, by the same request. */
async function firstUp({ workspace, daemon, say }: Run): Promise<Figures['up']> {
  const [first, ...others] = workspace.sets;
  if (first === undefined) throw new Error('there is no set');
  const seconds = await timed(() => runCli(workspace, ['up', '-f', first.file, '--yes']));
  say(`sl up of ${first.nodes.length} nodes: ${seconds.toFixed(1)} s`);
  const rest = await timed(async () => {
    for (const set of others) await runCli(workspace, ['up', '-f', set.file, '--yes']);
  });
  const again = await timed(() => runCli(workspace, ['up', '-f', first.file, '--yes']));
  say(`peak ${(daemon.memory().peak / 2 ** 20).toFixed(0)} MiB`);
  return { nodes: first.nodes.length, seconds, again, others: rest };
}

async function restart({ workspace, daemon, simulators, running, agents, profile }: Run): Promise<Figures['restart']> {
  await simulators.forget();
  const start = performance.now();
  await daemon.stop();
  const next = await startDaemon(workspace, profile);
  running.push(next);
  const { turnedAway } = await simulators.allWelcome(agents, CONNECT_DEADLINE);
  return { seconds: (performance.now() - start) / 1000, cpu: next.cpu(), turnedAway, peak: next.memory().peak };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
