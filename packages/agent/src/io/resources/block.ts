import { realpath } from 'node:fs/promises';
import type { ResourceOf } from '@silverlining/protocol';
import { readFileIfAny, removeTemporariesOf, writeFileDurable } from '@silverlining/system';
import { replaceBlock } from '../../core/converge/block.ts';
import { describeTextChange } from '../../core/converge/text-change.ts';
import type { Executor } from '../../ports.ts';
import { lookAt } from './attributes.ts';
import type { Observations } from './observations.ts';
import { remember } from './undo.ts';

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
      const undo = await remember(path);
      const owner = found === undefined ? undefined : { uid: found.uid, gid: found.gid };
      await removeTemporariesOf(path);
      await writeFileDurable(path, next, found === undefined ? 0o644 : found.mode & 0o7777, owner);
      return { undo };
    },
  };
}

async function texts(wanted: ResourceOf<'block'>, node: Observations) {
  const current = await readFileIfAny(node.root + wanted.path);
  return { current, next: replaceBlock(current ?? '', wanted.name, wanted.content) };
}
