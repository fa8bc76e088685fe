/** Keeps the figures of each number of agents in docs/benchmarks.md: a row each, in the section "Scale". */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Figures } from './measure.ts';

const FILE = join(import.meta.dirname, '../../../docs/benchmarks.md');
const HEADING = '## Scale';
const HEADER = [
  '| agents | `sl up` of 1,000 nodes, first / again | memory at rest / most | CPU at rest | push p50 / p99 / all | all back |',
  '|---|---|---|---|---|---|',
];

/** Puts the row of this run in the place of an earlier one for as many agents. */
export async function writeTable(figures: Figures): Promise<void> {
  const text = await readFile(FILE, 'utf8');
  await writeFile(FILE, withRow(text, figures.agents, rowOf(figures)));
}

function withRow(text: string, agents: number, row: string): string {
  const start = text.indexOf(HEADING);
  if (start === -1) throw new Error(`docs/benchmarks.md has no section "${HEADING}"`);
  const lines = text.slice(start).split('\n');
  const first = lines.findIndex((line) => line.startsWith('| agents '));
  const rows = lines.slice(first + HEADER.length).findIndex((line) => !line.startsWith('|'));
  const others = lines
    .slice(first + HEADER.length, first + HEADER.length + rows)
    .filter((it) => agentsOf(it) !== agents);
  const sorted = [...others, row].sort((a, b) => agentsOf(a) - agentsOf(b));
  const after = lines.slice(first + HEADER.length + rows);
  return text.slice(0, start) + [...lines.slice(0, first), ...HEADER, ...sorted, ...after].join('\n');
}

function agentsOf(row: string): number {
  return Number(row.split('|')[1]?.replaceAll(',', ''));
}

function rowOf({ agents, up, memory, cpuAtRest, push, restart }: Figures): string {
  const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
  const cells = [
    agents.toLocaleString('en'),
    `${up.seconds.toFixed(1)} s / ${up.again.toFixed(1)} s`,
    `${mebibytes(memory.rest)} / ${mebibytes(Math.max(memory.peak, restart.peak))}`,
    `${cpuAtRest.toFixed(2)} cores`,
    `${seconds(push.p50)} / ${seconds(push.p99)} / ${seconds(push.all)}`,
    `${restart.seconds.toFixed(0)} s`,
  ];
  return `| ${cells.join(' | ')} |`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
