/** Pushes of a configuration to all agents: an alias more in every set, so that every node gets a new topology. */
import { setTimeout as sleep } from 'node:timers/promises';
import { readServerSet } from '../../../packages/controller/src/index.ts';
import type { Daemon } from './daemon.ts';
import type { Observations, Simulators } from './simulators.ts';
import type { ScaleSet, Workspace } from './workspace.ts';

/** Milliseconds from the decision until an agent has said that it has it, over all agents and pushes. */
export interface PushFigures {
  pushes: number;
  p50: number;
  p99: number;
  /** All agents of all sets: the slowest push. */
  all: number;
  /** Seconds of CPU of the controller for one push, roles included. */
  cpu: number;
}

export interface PushOptions {
  workspace: Workspace;
  daemon: Daemon;
  simulators: Simulators;
  times: number;
  say(text: string): void;
}

const PAUSE = 15_000;

export async function pushConfiguration({
  workspace,
  daemon,
  simulators,
  times,
  say,
}: PushOptions): Promise<PushFigures> {
  const latencies: number[] = [];
  const all: number[] = [];
  const before = daemon.cpu();
  let used = 0;
  for (let i = 1; i <= times; i++) {
    await workspace.writeSets(i);
    await simulators.forget();
    const cpu = daemon.cpu();
    const began = await Promise.all(workspace.sets.map((set) => upSet(daemon, set)));
    used += daemon.cpu() - cpu;
    const seen = latenciesOf(await simulators.look(), new Map(began));
    latencies.push(...seen);
    all.push(Math.max(...seen));
    say(`push ${i}: ${seen.length} acknowledged, the last after ${Math.max(...seen)} ms`);
    await sleep(PAUSE);
  }
  latencies.sort((a, b) => a - b);
  say(`cpu of the pushes ${(daemon.cpu() - before).toFixed(1)} s`);
  const at = (part: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * part))] ?? 0;
  return { pushes: times, p50: at(0.5), p99: at(0.99), all: Math.max(...all), cpu: used / times };
}

/** When the set's new topology was decided, milliseconds since 1970. */
async function upSet({ client }: Daemon, { name, file }: ScaleSet): Promise<[string, number]> {
  const { set } = readServerSet(file);
  if (set === undefined) throw new Error(`${file} cannot be read`);
  let decided = 0;
  for await (const event of client.operate('up', { set, installHostPackages: false })) {
    if (event.type === 'failed') throw new Error(`${name}: ${event.error.message}`);
    if (event.type === 'progress' && event.action === 'topology' && event.status === 'changed') decided = event.at;
  }
  return [name, decided];
}

function latenciesOf({ acknowledged }: Observations, decided: ReadonlyMap<string, number>): number[] {
  return acknowledged.map(({ set, at }) => at - (decided.get(set) ?? at));
}
