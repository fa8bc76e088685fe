import type { Executor } from '../../ports.ts';
import { installPackages } from '../apt.ts';
import type { Observations } from './observations.ts';

export function packagesExecutor(node: Observations): Executor<'packages'> {
  return {
    async check({ names }) {
      const installed = await node.packages();
      const missing = names.filter((name) => !installed.has(name));
      return missing.length === 0 ? undefined : `not installed: ${missing.join(', ')}`;
    },
    async apply({ names }) {
      // Maintainer scripts add users, units and files.
      node.forget('everything');
      await installPackages(names, node);
      return {};
    },
  };
}
