import { hostname } from 'node:os';
import { exec, readFileIfAny, writeFileDurable } from '@silverlining/system';
import type { Executor } from '../../ports.ts';
import type { Observations } from './observations.ts';
import { replace } from './undo.ts';

export function hostnameExecutor(node: Observations): Executor<'hostname'> {
  const path = `${node.root}/etc/hostname`;
  return {
    async check({ name }) {
      const stored = (await readFileIfAny(path))?.trim();
      if (stored !== name) return `${path} says ${stored ?? 'nothing'}`;
      return hostname() === name ? undefined : `is ${hostname()}`;
    },
    async apply({ name }) {
      await replace(path, () => writeFileDurable(path, `${name}\n`, 0o644));
      await exec(['hostname', '--', name], { signal: node.signal, code: 'E_RESOURCE' });
      return {};
    },
  };
}
