/** Bringing the store's file into existence, checking it, upgrading it, and keeping a copy to restore from. */
import { randomUUID } from 'node:crypto';
import { chmodSync, closeSync, fsyncSync, linkSync, mkdirSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { SlError } from '@silverlining/protocol';
import { Database } from './database.ts';
import { UPGRADES } from './schema.ts';
import { backupPath, damaged, storeError } from './store-error.ts';

const BACKUP_AGE_MS = 60 * 60 * 1000;

export interface OpenOptions {
  /** Hears of a copy that could not be made. */
  warn?: (text: string) => void;
  /** Milliseconds to wait for whoever has the store open. */
  busyTimeout?: number;
}

/** Opens the store's file, made (0600) when there is none. E_STORE when it is damaged, in use or of a newer version. */
export function openDatabase(file: string, { warn = () => undefined, busyTimeout }: OpenOptions = {}): Database {
  const fresh = sizeOf(file) === undefined;
  try {
    if (fresh) create(file);
    // SQLite takes an empty file for a new database: a truncated store would come up as one that knows no set.
    if (sizeOf(file) === 0) throw damaged(file, 'it is empty');
    chmodSync(file, 0o600);
  } catch (error) {
    throw storeError(error, file);
  }
  const db = new Database(file, busyTimeout);
  try {
    check(db);
    const upgraded = upgrade(db, warn);
    if (!fresh && !upgraded) backUpWhenOld(db, warn);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Made whole under another name first, so that a file of the store's name always holds a store. */
function create(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${randomUUID()}.tmp`;
  closeSync(openSync(temporary, 'wx', 0o600));
  try {
    const db = new Database(temporary);
    try {
      for (const step of pendingSteps(db)) step();
    } finally {
      db.close();
    }
    syncPath(temporary);
    linkUnlessThere(temporary, file);
    syncPath(dirname(file));
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** A link, unlike a rename, never replaces the store that another process made in the same moment. */
function linkUnlessThere(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (sizeOf(to) === undefined) throw error;
  }
}

function check(db: Database): void {
  const problems = db.all('PRAGMA quick_check(3)').map((row) => String(row.quick_check));
  if (problems.join() !== 'ok') throw damaged(db.file, problems.join('; '));
}

function upgrade(db: Database, warn: (text: string) => void): boolean {
  const steps = pendingSteps(db);
  if (steps.length === 0) return false;
  backUp(db, warn);
  for (const step of steps) step();
  return true;
}

/** One transaction each, the version included: an upgrade that is cut off goes on where it was. */
function pendingSteps(db: Database): (() => void)[] {
  const version = Number(db.get('PRAGMA user_version')?.user_version);
  if (version > UPGRADES.length) {
    const message = `${db.file} has version ${version}, written by a newer Silver Lining; this one knows up to ${UPGRADES.length}. Use the newer one`;
    throw new SlError('E_STORE', message);
  }
  return UPGRADES.slice(version).map((sql, i) => () => {
    db.transaction(() => {
      db.exec(sql);
      db.exec(`PRAGMA user_version = ${version + i + 1}`);
    });
  });
}

/** Copies it where the last copy is older than an hour and there is more by now. */
export function backUpWhenOld(db: Database, warn: (text: string) => void): void {
  if (db.isChanged && backupIsOld(db.file)) backUp(db, warn);
}

function backupIsOld(file: string): boolean {
  const stats = statSync(backupPath(file), { throwIfNoEntry: false });
  return stats === undefined || Date.now() - stats.mtimeMs > BACKUP_AGE_MS;
}

/** A controller goes on without a fresh copy rather than not at all. */
function backUp(db: Database, warn: (text: string) => void): void {
  const target = backupPath(db.file);
  const temporary = `${target}.tmp`;
  try {
    rmSync(temporary, { force: true });
    closeSync(openSync(temporary, 'wx', 0o600));
    db.run('VACUUM INTO ?', temporary);
    syncPath(temporary);
    renameSync(temporary, target);
    syncPath(dirname(target));
    db.isChanged = false;
  } catch (error) {
    rmSync(temporary, { force: true });
    warn(`the store could not be copied to ${target}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function syncPath(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function sizeOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.size;
}
