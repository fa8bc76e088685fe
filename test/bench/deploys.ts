/** Measures all tools with one app, turn by turn, so that whatever else the machine does meets all of them. */
import { type AppShape, changeApp, writeApp } from './apps.ts';
import { type Contender, OPERATIONS, type Operation, type Site } from './contender.ts';
import type { Fleet } from './fleet.ts';
import { type Measurement, measure } from './meter.ts';
import type { Part, ToolResult } from './results.ts';
import type { ToolGroup } from './tool-group.ts';
import { folderDigest, verify } from './verify.ts';

export interface Entrant {
  contender: Contender;
  tool: ToolGroup;
}

export interface DeploysInput {
  fleet: Fleet;
  site: Site;
  entrants: readonly Entrant[];
  runs: number;
  /** Tries all variants of each tool in the warm-up, in place of the first one alone. */
  tune: boolean;
  /** Called between turns, when a tool has removed what it does not need. */
  tidy: () => Promise<void>;
  say: (text: string) => void;
  signal: AbortSignal;
}

const WARM_UP: readonly Operation[] = ['full', 'change'];

/** The results of each tool, after a warm-up that may also find the quickest of its variants. */
export async function measureDeploys(input: DeploysInput): Promise<ToolResult[]> {
  const { entrants, runs, site, say, tune } = input;
  for (const { contender } of entrants) await contender.begin();
  const turns = new Turns(input);
  await turns.next();
  const chosen = new Map<Entrant, string>();
  for (const entrant of entrants) chosen.set(entrant, await warmUp(turns, entrant, { say, tune }));
  const results = new Map(entrants.map((entrant) => [entrant, emptyRuns()]));
  for (let run = 1; run <= runs; run += 1) {
    await turns.next();
    for (const entrant of rotate(entrants, run)) {
      const measured = await turns.turn(entrant, OPERATIONS);
      for (const [operation, it] of measured) results.get(entrant)?.[operation].push(it);
      say(`${site.shape.name} ${run}/${runs} ${entrant.contender.title}: ${secondsOf(measured)}`);
    }
  }
  return entrants.map((entrant) => ({
    title: entrant.contender.title,
    how: withVariant(entrant.contender, chosen.get(entrant) ?? ''),
    runs: results.get(entrant) ?? emptyRuns(),
  }));
}

export function operationTitles(shape: AppShape): Part['operations'] {
  const titles = { full: 'full upload', nothing: 'nothing changed', change: shape.change, rollback: 'rollback' };
  return OPERATIONS.map((name) => ({ name, title: titles[name] }));
}

/** Runs the tool once, or each of its variants, of which the quickest is left in use. */
async function warmUp(
  turns: Turns,
  { contender, tool }: Entrant,
  { say, tune }: Pick<DeploysInput, 'say' | 'tune'>,
): Promise<string> {
  let best = { variant: '', seconds: Number.POSITIVE_INFINITY };
  for (const variant of tune ? contender.variants : contender.variants.slice(0, 1)) {
    contender.use(variant);
    const measured = await turns.turn({ contender, tool }, WARM_UP);
    const seconds = measured.reduce((sum, [, it]) => sum + it.seconds, 0);
    say(`warm-up ${contender.title} (${variant}): ${secondsOf(measured)}`);
    if (seconds < best.seconds) best = { variant, seconds };
  }
  contender.use(best.variant);
  return best.variant;
}

/** The app in its versions, and one tool's operations on it. */
class Turns {
  readonly #input: DeploysInput;
  #seed = 0;

  constructor(input: DeploysInput) {
    this.#input = input;
  }

  /** An app of which no node has a file yet. */
  async next(): Promise<void> {
    this.#seed += 1;
    await writeApp(this.#input.site.shape, this.#input.site.dir, this.#seed);
  }

  async turn({ contender, tool }: Entrant, operations: readonly Operation[]): Promise<[Operation, Measurement][]> {
    const { fleet, signal, tidy } = this.#input;
    const measured: [Operation, Measurement][] = [];
    let expected = await this.#version('first');
    const first = expected;
    for (const operation of operations) {
      if (operation === 'change') expected = await this.#version(contender.name);
      if (operation === 'rollback') expected = first;
      await contender.before(operation);
      const options = { nodes: fleet.nodes, tool, later: contender.later(operation) };
      const command = contender[operation];
      measured.push([operation, await measure(options, () => tool.run(command, signal))]);
      await verify(contender, fleet, expected, signal);
    }
    await contender.tidy();
    await tidy();
    return measured;
  }

  async #version(label: string) {
    const { shape, dir } = this.#input.site;
    const probe = await changeApp(shape, dir, `${this.#seed}.${label}`);
    return { probe, digest: await folderDigest(dir) };
  }
}

function emptyRuns(): Record<Operation, Measurement[]> {
  return { full: [], nothing: [], change: [], rollback: [] };
}

function rotate<T>(all: readonly T[], by: number): T[] {
  const start = by % all.length;
  return [...all.slice(start), ...all.slice(0, start)];
}

function withVariant({ how, variants }: Contender, chosen: string): string {
  return variants.length < 2 ? how : `${how} Of ${variants.join(', ')}: ${chosen}.`;
}

function secondsOf(measured: readonly [string, Measurement][]): string {
  return measured.map(([name, { seconds }]) => `${name} ${seconds.toFixed(2)} s`).join(', ');
}
