import { readlinkSync } from 'node:fs';
import { SlError } from '@silverlining/protocol';
import { linkDurable } from '@silverlining/system';
import type { Executor } from '../../ports.ts';
import { kindOf, lookAt } from './attributes.ts';
import type { Observations } from './observations.ts';
import { replace } from './undo.ts';

export function linkExecutor(node: Observations): Executor<'link'> {
  return {
    async check(wanted) {
      const path = node.root + wanted.path;
      const found = lookAt(path);
      if (found === undefined) return 'does not exist';
      if (!found.isSymbolicLink()) return `is ${kindOf(found)}`;
      const target = readlinkSync(path);
      return target === wanted.target ? undefined : `points at ${target} instead of ${wanted.target}`;
    },
    async apply(wanted) {
      const path = node.root + wanted.path;
      if (lookAt(path)?.isDirectory()) throw new SlError('E_RESOURCE', `${wanted.path} is a directory`);
      const undo = await replace(path, () => linkDurable(path, wanted.target));
      node.unitFileChanged(wanted.path);
      return { undo };
    },
  };
}
