/** What design and documents promise, and whether the figures keep it. */
import type { Part } from './results.ts';
import { medianOf, ratio, seconds } from './table.ts';

interface Goal {
  text: string;
  part: string;
  operation: string;
  /** Seconds at most. */
  limit?: number;
  /** So many times as fast as that tool. */
  times?: { tool: string; factor: number };
}

const GOALS: readonly Goal[] = [
  { text: '1 file of 10,000 changed: 1 s', part: 'medium', operation: 'change', limit: 1 },
  {
    text: '… 9 times as fast as Capistrano',
    part: 'medium',
    operation: 'change',
    times: { tool: 'Capistrano', factor: 9 },
  },
  {
    text: '… 18 times as fast as Ansible',
    part: 'medium',
    operation: 'change',
    times: { tool: 'Ansible', factor: 18 },
  },
  {
    text: '… 18 times as fast as Ansible, defaults',
    part: 'medium',
    operation: 'change',
    times: { tool: 'Ansible, defaults', factor: 18 },
  },
  { text: 'full upload of 92 MB: 8 s', part: 'medium', operation: 'full', limit: 8 },
  { text: '… twice as fast as rsync', part: 'medium', operation: 'full', times: { tool: 'rsync', factor: 2 } },
  {
    text: '… twice as fast as rsync, defaults',
    part: 'medium',
    operation: 'full',
    times: { tool: 'rsync, defaults', factor: 2 },
  },
  { text: 'nothing changed, `sl deploy`: under 1 s', part: 'medium', operation: 'nothing', limit: 1 },
  { text: 'rollback: under 1 s', part: 'medium', operation: 'rollback', limit: 1 },
  { text: 'nothing changed, `sl up`: under 1 s', part: 'roles', operation: 'nothing', limit: 1 },
];

/** A row for each goal: of the part, as it was measured; of others, as the document has it. */
export function goalRows(part: Part, document: string): string[] {
  const rows = GOALS.flatMap((goal) => {
    const known = document.split('\n').find((line) => line.startsWith(`| ${goal.text} |`));
    const row = goal.part === part.name ? goalRow(goal, part) : known;
    return row === undefined ? [] : [row];
  });
  return ['| goal, ten nodes | measured | |', '|---|--:|---|', ...rows];
}

function goalRow(goal: Goal, { tools }: Part): string | undefined {
  const [ours] = tools;
  if (ours === undefined) return undefined;
  const own = medianOf(ours, goal.operation, 'seconds');
  if (goal.limit !== undefined) return row(goal.text, seconds(own), own <= goal.limit);
  const peer = tools.find(({ title }) => title === goal.times?.tool);
  if (peer === undefined || goal.times === undefined) return undefined;
  const theirs = medianOf(peer, goal.operation, 'seconds');
  return row(goal.text, ratio(theirs, own), theirs / own >= goal.times.factor);
}

function row(text: string, measured: string, isMet: boolean): string {
  return `| ${text} | ${measured} | ${isMet ? 'met' : '**missed**'} |`;
}
