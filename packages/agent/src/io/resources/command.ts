import type { ResourceOf } from '@silverlining/protocol';
import { exec } from '@silverlining/system';
import type { Executor } from '../../ports.ts';
import { lookAt } from './attributes.ts';
import type { Observations } from './observations.ts';

/** Milliseconds; a guard looks, a command may work. */
const GUARD_DEADLINE = 30_000;
const DEADLINE = 10 * 60_000;

export function commandExecutor(node: Observations): Executor<'command'> {
  return {
    async check(wanted) {
      return (await isDone(wanted, node)) ? undefined : `runs ${wanted.argv.join(' ')}`;
    },
    async apply(wanted) {
      node.forget('everything');
      await exec(wanted.argv, { signal: node.signal, code: 'E_RESOURCE', deadline: DEADLINE, cwd: '/' });
      return {};
    },
  };
}

async function isDone(wanted: ResourceOf<'command'>, node: Observations): Promise<boolean> {
  if (wanted.creates !== undefined && lookAt(node.root + wanted.creates) !== undefined) return true;
  // What was read of the packages for other resources serves here as well, without a process.
  if (wanted.unlessInstalled !== undefined && (await node.packages()).has(wanted.unlessInstalled)) return true;
  if (wanted.unless === undefined) return false;
  const options = {
    signal: node.signal,
    code: 'E_RESOURCE',
    deadline: GUARD_DEADLINE,
    allowExit: 'any',
    cwd: '/',
  } as const;
  return (await exec(wanted.unless, options)).exitCode === 0;
}
