import { realpath } from 'node:fs/promises';
import type { ResourceOf } from '@silverlining/protocol';
import { readFileIfAny, writeFileDurable } from '@silverlining/system';
import { replaceBlock, sourcesOf } from '../../core/converge/block.ts';
import { describeTextChange } from '../../core/converge/text-change.ts';
import type { Executor } from '../../ports.ts';
import { lookAt } from './attributes.ts';
import type { Observations } from './observations.ts';
import { replace } from './undo.ts';

export function blockExecutor(node: Observations): Executor<'block'> {
  return {
    async check(wanted) {
      for (const { current, next } of await placesOf(wanted, node)) {
        if (current !== next) return describeTextChange(current, next);
      }
      return undefined;
    },
    async apply(wanted) {
      const undos: (() => Promise<void>)[] = [];
      for (const it of await placesOf(wanted, node)) if (it.current !== it.next) undos.push(await write(it));
      const undo = async () => {
        for (const it of undos.reverse()) await it();
      };
      return undos.length === 0 ? {} : { undo };
    },
  };
}

interface Place {
  path: string;
  current: string;
  next: string;
}

async function placesOf({ path, name, content }: ResourceOf<'block'>, node: Observations): Promise<Place[]> {
  const places: Place[] = [];
  for (const it of [path, ...sourcesOf(path)]) {
    const current = await readFileIfAny(node.root + it);
    if (current === undefined && it !== path) continue;
    places.push({ path: node.root + it, current: current ?? '', next: replaceBlock(current ?? '', name, content) });
  }
  return places;
}

async function write({ path: named, next }: Place): Promise<() => Promise<void>> {
  // A link to somewhere else stays one: what it points at is replaced.
  const path = await realpath(named).catch(() => named);
  const found = lookAt(path);
  const owner = found === undefined ? undefined : { uid: found.uid, gid: found.gid };
  const mode = found === undefined ? 0o644 : found.mode & 0o7777;
  return replace(path, () => writeFileDurable(path, next, mode, owner));
}
