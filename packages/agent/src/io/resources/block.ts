import { realpath } from 'node:fs/promises';
import type { ResourceOf } from '@silverlining/protocol';
import { readFileIfAny, writeFileDurable } from '@silverlining/system';
import { replaceBlock } from '../../core/converge/block.ts';
import { describeTextChange } from '../../core/converge/text-change.ts';
import type { Executor } from '../../ports.ts';
import { lookAt } from './attributes.ts';
import type { Observations } from './observations.ts';
import { replace } from './undo.ts';

export function blockExecutor(node: Observations): Executor<'block'> {
  return {
    async check(wanted) {
      const { current, next } = await texts(wanted, node);
      if (current === undefined && next === '') return undefined;
      return current === next ? undefined : describeTextChange(current ?? '', next);
    },
    async apply(wanted) {
      const { current, next } = await texts(wanted, node);
      if (current === next) return {};
      // A link to somewhere else stays one: what it points at is replaced.
      const path = await realpath(node.root + wanted.path).catch(() => node.root + wanted.path);
      const found = lookAt(path);
      const owner = found === undefined ? undefined : { uid: found.uid, gid: found.gid };
      const mode = found === undefined ? 0o644 : found.mode & 0o7777;
      return { undo: await replace(path, () => writeFileDurable(path, next, mode, owner)) };
    },
  };
}

async function texts(wanted: ResourceOf<'block'>, node: Observations) {
  const current = await readFileIfAny(node.root + wanted.path);
  return { current, next: replaceBlock(current ?? '', wanted.name, wanted.content) };
}
