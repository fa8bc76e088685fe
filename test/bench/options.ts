import { parseArgs } from 'node:util';
import { type AppShape, SHAPES } from './apps.ts';

export interface BenchOptions {
  nodes: number;
  runs: number;
  shapes: readonly AppShape[];
  roles: boolean;
  /** Tries variants of the other tools first, in place of those that were the quickest when this was written. */
  tune: boolean;
  /** Whether the figures go into the document: not those of a try. */
  keep: boolean;
}

export const USAGE = `npm run bench -- [--nodes 10] [--runs 3] [--apps small,medium,large] [--roles] [--tune]

Without --apps and --roles all is measured. What was measured on fewer than ten nodes is printed and not kept.
With --tune each tool's variants are tried in the warm-up, and the quickest is measured.
`;

const NODES = 10;

/** Throws an error that says what is wrong with the arguments. */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      nodes: { type: 'string', default: String(NODES) },
      runs: { type: 'string', default: '3' },
      apps: { type: 'string' },
      roles: { type: 'boolean', default: false },
      tune: { type: 'boolean', default: false },
    },
  });
  const all = values.apps === undefined && !values.roles;
  const nodes = positive('--nodes', values.nodes);
  const names = (values.apps ?? '').split(',').filter(Boolean);
  const unknown = names.find((name) => !SHAPES.some((shape) => shape.name === name));
  if (unknown !== undefined) throw new Error(`no app ${unknown}; there are ${SHAPES.map((it) => it.name).join(', ')}`);
  return {
    nodes,
    runs: positive('--runs', values.runs),
    shapes: all ? SHAPES : SHAPES.filter((it) => names.includes(it.name)),
    roles: all || values.roles,
    tune: values.tune,
    keep: nodes >= NODES,
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name} has to be a whole number from 1 on, not ${text}`);
  return value;
}
