import { dirname } from 'node:path';
import { SlError } from '@silverlining/protocol';
import { syncPath } from '@silverlining/system';
import type { Executor } from '../../ports.ts';
import { removeTree } from '../remove-tree.ts';
import { kindOf, lookAt } from './attributes.ts';
import type { Observations } from './observations.ts';
import { remember } from './undo.ts';

/** Folders this near to the root hold more than anybody means to remove. */
const SAFE_DEPTH = 3;

export function absentExecutor(node: Observations): Executor<'absent'> {
  return {
    async check(wanted) {
      const found = lookAt(node.root + wanted.path);
      return found === undefined ? undefined : `is ${kindOf(found)}`;
    },
    async apply(wanted) {
      const path = node.root + wanted.path;
      const found = lookAt(path);
      if (found === undefined) return {};
      if (found.isDirectory() && wanted.path.split('/').length <= SAFE_DEPTH) {
        throw new SlError('E_RESOURCE', `${wanted.path} is a directory too near to the root to be removed`);
      }
      const restorable = found.isFile() || found.isSymbolicLink();
      const undo = restorable ? { undo: await remember(path) } : {};
      await removeTree(path);
      await syncPath(dirname(path));
      node.unitFileChanged(wanted.path);
      return undo;
    },
  };
}
