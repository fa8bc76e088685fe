/** The processes of simulated agents, as one. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export type Order = 'start' | 'look' | 'forget' | 'stop';

/** Since the last `forget`; times are milliseconds since 1970. */
export interface Observations {
  /** Agents that are connected and welcome now. */
  welcome: number;
  lastWelcome: number;
  /** Connections that came to nothing, by reason. */
  turnedAway: Record<string, number>;
  /** Topologies, when the agent had said that it has them. */
  acknowledged: { set: string; at: number }[];
}

export interface Simulators {
  start(): Promise<void>;
  look(): Promise<Observations>;
  forget(): Promise<void>;
  /** Resolves once so many are welcome; throws after `deadline` milliseconds. */
  allWelcome(count: number, deadline: number): Promise<Observations>;
  stop(): Promise<void>;
}

const PROCESSES = 2;
const POLL = 200;

export async function startSimulators(file: string, count: number, url: string): Promise<Simulators> {
  const share = Math.ceil(count / PROCESSES);
  const children = await Promise.all(
    Array.from({ length: PROCESSES }, (_, i) => startOne(file, i * share, Math.min(count, (i + 1) * share), url)),
  );
  const tell = async (order: Order): Promise<Observations> =>
    merged(await Promise.all(children.map((it) => ask(it, order))));
  return {
    start: async () => void (await tell('start')),
    look: () => tell('look'),
    forget: async () => void (await tell('forget')),
    async allWelcome(wanted, deadline) {
      const end = performance.now() + deadline;
      for (;;) {
        const seen = await tell('look');
        if (seen.welcome >= wanted) return seen;
        if (performance.now() > end)
          throw new Error(`${seen.welcome} of ${wanted} agents are back: ${JSON.stringify(seen.turnedAway)}`);
        await sleep(POLL);
      }
    },
    async stop() {
      await Promise.all(
        children.map(async (child) => {
          if (child.exitCode !== null) return;
          const gone = once(child, 'exit');
          if (child.connected) child.send('stop');
          await gone;
        }),
      );
    },
  };
}

async function startOne(file: string, from: number, to: number, url: string): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, 'simulator.ts'), [file, String(from), String(to), url]);
  await once(child, 'message');
  return child;
}

async function ask(child: ChildProcess, order: Order): Promise<Observations> {
  const answer = once(child, 'message');
  child.send(order);
  const [seen] = await answer;
  return seen;
}

function merged(all: readonly Observations[]): Observations {
  const turnedAway: Record<string, number> = {};
  for (const [reason, count] of all.flatMap((it) => Object.entries(it.turnedAway)))
    turnedAway[reason] = (turnedAway[reason] ?? 0) + count;
  return {
    welcome: all.reduce((sum, it) => sum + it.welcome, 0),
    lastWelcome: Math.max(...all.map((it) => it.lastWelcome)),
    turnedAway,
    acknowledged: all.flatMap((it) => it.acknowledged),
  };
}
