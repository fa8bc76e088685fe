/** System users, read from the files themselves: no process for a question that each deploy asks. */
import { readFileSync } from 'node:fs';
import { SlError } from '@silverlining/protocol';
import { errno, exec, type FileOwner } from '@silverlining/system';

/** Owner of releases; apps cannot write what it owns. */
export const RELEASE_OWNER = 'www-mgr';

/** The user and its group; E_NOT_FOUND when there is none. */
export async function accountOf(name: string): Promise<FileOwner> {
  const found = lookUp(name);
  if (found === undefined) throw new SlError('E_NOT_FOUND', `the system user ${name} does not exist`);
  return found;
}

/** The user, made as a system user with a group of its own when missing. */
export async function ensureAccount(name: string): Promise<FileOwner> {
  const found = lookUp(name);
  if (found !== undefined) return found;
  const options = ['--system', '--user-group', '--no-create-home', '--home-dir', '/nonexistent'];
  // 9: it exists already, because somebody else made it in between.
  await exec(['useradd', ...options, '--shell', '/usr/sbin/nologin', '--', name], { allowExit: [9] });
  return accountOf(name);
}

function lookUp(name: string): FileOwner | undefined {
  const fields = readPasswd()
    .split('\n')
    .find((line) => line.startsWith(`${name}:`))
    ?.split(':');
  return fields === undefined ? undefined : { uid: Number(fields[2]), gid: Number(fields[3]) };
}

function readPasswd(): string {
  try {
    return readFileSync('/etc/passwd', 'utf8');
  } catch (error) {
    if (errno(error) === 'ENOENT') return '';
    throw error;
  }
}
