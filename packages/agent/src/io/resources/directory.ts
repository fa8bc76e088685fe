import { dirname } from 'node:path';
import { SlError } from '@silverlining/protocol';
import { chmod, chown, mkdir, syncPath } from '@silverlining/system';
import type { Executor } from '../../ports.ts';
import { attributeDifferences, kindOf, lookAt, resolveOwner } from './attributes.ts';
import type { Observations } from './observations.ts';

export function directoryExecutor(node: Observations): Executor<'directory'> {
  return {
    async check(wanted) {
      const found = lookAt(node.root + wanted.path);
      if (found === undefined) return 'does not exist';
      if (!found.isDirectory()) return `is ${kindOf(found)}`;
      const differences = await attributeDifferences(wanted, found, node);
      return differences.length === 0 ? undefined : differences.join('; ');
    },
    async apply(wanted) {
      const path = node.root + wanted.path;
      const found = lookAt(path);
      // Somebody's data may be in the way; nothing is removed to make room.
      if (found !== undefined && !found.isDirectory()) {
        throw new SlError('E_RESOURCE', `${wanted.path} is ${kindOf(found)}, not a directory`);
      }
      const owner = await resolveOwner(wanted, node);
      await mkdir(path, { recursive: true });
      await chown(path, owner.uid, owner.gid);
      await chmod(path, wanted.mode);
      await syncPath(dirname(path));
      return {};
    },
  };
}
