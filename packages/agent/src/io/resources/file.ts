import { readFileSync } from 'node:fs';
import { type ResourceOf, SlError } from '@silverlining/protocol';
import { writeFileDurable } from '@silverlining/system';
import { describeTextChange } from '../../core/converge/text-change.ts';
import type { Executor } from '../../ports.ts';
import { attributeDifferences, kindOf, lookAt, resolveOwner } from './attributes.ts';
import type { Observations } from './observations.ts';
import { replace } from './undo.ts';

export function fileExecutor(node: Observations): Executor<'file'> {
  return {
    async check(wanted) {
      const found = lookAt(node.root + wanted.path);
      if (found === undefined) return 'does not exist';
      if (!found.isFile()) return `is ${kindOf(found)}`;
      if (wanted.once) return undefined;
      const differences = await attributeDifferences(wanted, found, node);
      const content = contentDifference(wanted, node);
      if (content !== undefined) differences.push(content);
      return differences.length === 0 ? undefined : differences.join('; ');
    },
    async apply(wanted) {
      const path = node.root + wanted.path;
      const found = lookAt(path);
      if (found?.isDirectory()) throw new SlError('E_RESOURCE', `${wanted.path} is a directory`);
      const owner = await resolveOwner(wanted, node);
      const undo = await replace(path, () => writeFileDurable(path, wanted.content, wanted.mode, owner));
      node.unitFileChanged(wanted.path);
      return { undo };
    },
  };
}

function contentDifference(wanted: ResourceOf<'file'>, node: Observations): string | undefined {
  const current = readFileSync(node.root + wanted.path);
  if (current.equals(Buffer.from(wanted.content))) return undefined;
  return wanted.sensitive ? 'content differs' : describeTextChange(current.toString(), wanted.content);
}
