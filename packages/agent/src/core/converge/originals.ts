/** What was on the machine before resources changed it: kept when they first do, put back when the machine leaves its set. */
import type { Resource } from '@silverlining/protocol';
import * as z from 'zod/mini';
import { isEnabled, isRunning, type UnitState } from './unit-state.ts';

const path = z.string();

export const original = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('nothing'), path }),
  /** Content in base64. */
  z.object({
    kind: z.literal('file'),
    path,
    content: z.string(),
    mode: z.number(),
    uid: z.number(),
    gid: z.number(),
  }),
  z.object({ kind: z.literal('link'), path, target: z.string() }),
  /** A block has no original: putting back is taking it out. */
  z.object({ kind: z.literal('block'), path, name: z.string() }),
  z.object({
    kind: z.literal('unit'),
    name: z.string(),
    /** Whether there was such a unit before its packages came. */
    existed: z.boolean(),
    /** How it was then; agents of earlier versions kept neither. */
    enabled: z.optional(z.boolean()),
    running: z.optional(z.boolean()),
  }),
]);
export type Original = z.infer<typeof original>;
export type OriginalUnit = Extract<Original, { kind: 'unit' }>;

/** A folder that was there: what is in it is nobody's to keep, who may do what with it is changed. In a file of its own, of which earlier agents know nothing. */
export const originalFolder = z.object({ path, mode: z.number(), uid: z.number(), gid: z.number() });
export type OriginalFolder = z.infer<typeof originalFolder>;

export interface Touched {
  /** In the order in which they come about. */
  paths: string[];
  blocks: { path: string; name: string }[];
  units: string[];
}

/** What the resources may change that is not kept yet. */
export function untouched(resources: readonly Resource[], kept: readonly Original[]): Touched {
  const known = new Set(kept.map(keyOf));
  const touched: Touched = { paths: [], blocks: [], units: [] };
  for (const it of resources) {
    if (it.type === 'block' && !known.has(`${it.path}#${it.name}`))
      touched.blocks.push({ path: it.path, name: it.name });
    else if (it.type === 'unit' && !known.has(it.name)) touched.units.push(it.name);
    else if (hasPath(it) && !known.has(it.path)) touched.paths.push(it.path);
  }
  return touched;
}

/** A unit before resources changed it. */
export function originalUnit(name: string, unit: UnitState | undefined): OriginalUnit {
  const existed = unit !== undefined && unit.load !== 'not-found';
  return { kind: 'unit', name, existed, ...(existed ? { enabled: isEnabled(unit), running: isRunning(unit) } : {}) };
}

function hasPath(it: Resource): it is Extract<Resource, { type: 'file' | 'link' | 'absent' | 'directory' }> {
  return ['file', 'link', 'absent', 'directory'].includes(it.type);
}

function keyOf(it: Original): string {
  if (it.kind === 'unit') return it.name;
  return it.kind === 'block' ? `${it.path}#${it.name}` : it.path;
}
