import { existsSync } from 'node:fs';
import { SlError } from '@silverlining/protocol';

/** SQLite's primary result codes that need words of their own (https://sqlite.org/rescode.html). */
const BUSY = 5;
const READONLY = 8;
const CORRUPT = 11;
const FULL = 13;
const NOT_A_DATABASE = 26;
const CONSTRAINT_FOREIGN_KEY = 787;

/** The name of the copy that `openStore` makes beside a store. */
export function backupPath(file: string): string {
  return `${file}.backup`;
}

/** What SQLite or the file system threw, as E_STORE that says what to do; coded errors stay as they are. */
export function storeError(cause: unknown, file: string): SlError {
  if (cause instanceof SlError) return cause;
  const code = resultCode(cause);
  const text = cause instanceof Error ? cause.message : String(cause);
  if (code === CONSTRAINT_FOREIGN_KEY) {
    return new SlError('E_NOT_FOUND', 'the set that the row belongs to does not exist', { cause });
  }
  const primary = code & 0xff;
  if (primary === CORRUPT || primary === NOT_A_DATABASE) return damaged(file, text, cause);
  if (primary === BUSY) {
    return new SlError('E_STORE', `${file} is in use by another controller; stop that one first`, { cause });
  }
  if (primary === FULL) {
    const message = `no space is left to write ${file}; nothing of the last change was kept. Free some, then try again`;
    return new SlError('E_STORE', message, { cause });
  }
  if (primary === READONLY) return new SlError('E_STORE', `${file} cannot be written: ${text}`, { cause });
  return new SlError('E_STORE', `${file}: ${text}`, { cause });
}

/** E_STORE for a store that must not be used, with how to restore it. Running apps do not need it. */
export function damaged(file: string, what: string, cause?: unknown): SlError {
  const backup = backupPath(file);
  // A write-ahead log that is left beside the restored copy would be replayed into it and damage that as well.
  const restore = `mv ${file} ${file}.damaged && rm -f ${file}-wal ${file}-shm && cp -p ${backup} ${file}`;
  const advice = existsSync(backup)
    ? `To restore the last copy: ${restore}`
    : `There is no copy of it at ${backup} yet: restore ${file} from a backup of this machine`;
  const message = `the store ${file} is damaged (${what}); apps on the nodes are not affected. ${advice}`;
  return new SlError('E_STORE', message, { cause, details: { file, backup } });
}

function resultCode(error: unknown): number {
  if (!(error instanceof Error) || !('errcode' in error)) return 0;
  return typeof error.errcode === 'number' ? error.errcode : 0;
}
