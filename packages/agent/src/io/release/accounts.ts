/** System users, read from the files themselves: no process for a question that each deploy asks. */
import { readFileSync } from 'node:fs';
import { SlError } from '@silverlining/protocol';
import { exec, type FileOwner } from '@silverlining/system';
import { type Accounts, parseAccounts, userCommands } from '../../core/converge/accounts.ts';

/** Owner of releases; apps cannot write what it owns. */
export const RELEASE_OWNER = 'www-mgr';

/** The user, made as a system user with a group of its own when missing. `etc` is the folder that says which there are. */
export async function ensureAccount(name: string, etc = '/etc'): Promise<FileOwner> {
  const accounts = readAccounts(etc);
  const found = accounts.users.get(name);
  if (found !== undefined) return found;
  const failure = await make(name, accounts);
  // Also where that failed: somebody else may have made it in between.
  const made = readAccounts(etc).users.get(name);
  if (made !== undefined) return made;
  throw failure ?? new SlError('E_NOT_FOUND', `the system user ${name} was made and does not exist`);
}

/** Returns what went wrong. */
async function make(name: string, accounts: Accounts): Promise<unknown> {
  const wanted = { name, home: '/nonexistent', shell: '/usr/sbin/nologin', groups: [] };
  try {
    for (const command of userCommands(wanted, accounts)) await exec(command);
    return undefined;
  } catch (error) {
    return error;
  }
}

function readAccounts(etc: string): Accounts {
  return parseAccounts(readFileSync(`${etc}/passwd`, 'utf8'), readFileSync(`${etc}/group`, 'utf8'));
}
