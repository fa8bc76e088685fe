import { constants } from 'node:fs';
import { access, type FileHandle, open, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { SlError } from '@silverlining/protocol';
import { writeFileDurable } from '@silverlining/system';
import type { WorkstationHosts } from '../ports.ts';
import { withFileLock } from './file-lock.ts';
import { blockLines, withBlock } from './hosts-block.ts';

const HOSTS_FILE = '/etc/hosts';
const LOCK_TIMEOUT = 10_000;

/**
 * The marked blocks of sets in this machine's hosts file. Everything else in it stays byte for byte, and writers, in
 * this process and others, take turns. E_HOSTS_FILE says why it could not be written and what helps.
 */
export function createWorkstationHosts(path = HOSTS_FILE): WorkstationHosts {
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work, work);
    last = turn.catch(() => undefined);
    return turn;
  };
  return {
    write: (set, lines) => inTurn(() => coded(path, () => writeBlock(path, set, lines))),
    current: (set) => coded(path, async () => blockLines(await read(path), set)),
    async writable() {
      try {
        await access(path, constants.R_OK | constants.W_OK);
        return true;
      } catch {
        return false;
      }
    },
  };
}

async function writeBlock(path: string, set: string, lines: readonly string[]): Promise<boolean> {
  if (lines.some((line) => /[\r\n]/.test(line)))
    throw new SlError('E_INTERNAL', 'a line for the hosts file has a break');
  // The file behind a symbolic link is what has to be replaced.
  const target = await realpath(path);
  // Most runs change nothing: they need no lock, and no right to write.
  if (changed(await read(target), set, lines) === undefined) return false;
  return locked(target, async () => {
    const text = changed(await read(target), set, lines);
    if (text === undefined) return false;
    await replace(target, Buffer.from(text, 'latin1'));
    return true;
  });
}

function changed(text: string, set: string, lines: readonly string[]): string | undefined {
  const wanted = withBlock(text, set, lines);
  return wanted === text ? undefined : wanted;
}

/** Latin-1 maps every byte to a character and back: whatever the file holds comes out as it was. */
async function read(path: string): Promise<string> {
  return (await readFile(path)).toString('latin1');
}

/**
 * The lock file stays, as /etc/.pwd.lock does: who removed it would let two writers hold locks on two files of one name.
 * A file that is mounted on its own may lie in a folder that cannot be written: there, this process's turns must do.
 */
async function locked<T>(target: string, work: () => Promise<T>): Promise<T> {
  const folder = dirname(target);
  try {
    await access(folder, constants.W_OK);
  } catch {
    return work();
  }
  const lock = join(folder, `.${basename(target)}.silverlining.lock`);
  return withFileLock(lock, { signal: new AbortController().signal, deadline: LOCK_TIMEOUT }, work);
}

/** By rename, and in place where a rename cannot be: a file that is mounted on its own has no name to be given away. */
async function replace(target: string, content: Buffer): Promise<void> {
  const { mode, uid, gid } = await stat(target);
  try {
    await writeFileDurable(target, content, mode & 0o7777, { uid, gid });
  } catch (error) {
    if (!hasCode(error, 'EBUSY', 'EXDEV', 'EACCES', 'EPERM', 'EROFS')) throw error;
    await overwrite(target, content);
  }
}

async function overwrite(target: string, content: Buffer): Promise<void> {
  const handle: FileHandle = await open(target, 'r+');
  try {
    await handle.write(content, 0, content.length, 0);
    await handle.truncate(content.length);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function coded<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof SlError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `${path} could not be updated: ${why}. Run the controller as a user who may write it, or set set_etc_hosts = false`;
    throw new SlError('E_HOSTS_FILE', message, { cause });
  }
}

function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
