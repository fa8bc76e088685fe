import { exec } from '@silverlining/system';
import { userCommands, userDifferences } from '../../core/converge/accounts.ts';
import type { Executor } from '../../ports.ts';
import type { Observations } from './observations.ts';

export function userExecutor(node: Observations): Executor<'user'> {
  return {
    async check(wanted) {
      const differences = userDifferences(wanted, await node.accounts());
      return differences.length === 0 ? undefined : differences.join('; ');
    },
    async apply(wanted) {
      const commands = userCommands(wanted, await node.accounts());
      node.forget('everything');
      for (const argv of commands) await exec(argv, { signal: node.signal, code: 'E_RESOURCE' });
      return {};
    },
  };
}
