import { randomUUID } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { linePieces } from '@silverlining/protocol';

/**
 * Characters that are written at once, to the end of the line after them: so few are encoded in memory that is there, where a megabyte
 * of new memory costs a page fault for each 4 KB.
 */
const PIECE = 2 << 10;

/**
 * Writes a file of a cache whole or not at all, as two may do so at once; it need not survive a power cut. Where it cannot be
 * written, on a full disk say, nothing happens: what it holds is found out again the next time.
 */
export async function writeCacheFile(path: string, parts: Iterable<string>): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    write(temporary, parts);
    await rename(temporary, path);
  } catch {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

function write(path: string, parts: Iterable<string>): void {
  const descriptor = openSync(path, 'wx', 0o600);
  try {
    for (const part of parts) for (const piece of linePieces(part, PIECE)) writePiece(descriptor, piece);
  } finally {
    closeSync(descriptor);
  }
}

function writePiece(descriptor: number, piece: string): void {
  if (writeSync(descriptor, piece) < Buffer.byteLength(piece)) throw new Error('the disk takes no more');
}

/** Of the files of a cache, keeps so many that were written last. */
export async function pruneCache(folder: string, kept: number): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  if (names.length <= kept) return;
  const times = await Promise.all(
    names.map(async (name) => ({ name, at: (await stat(`${folder}/${name}`).catch(() => undefined))?.mtimeMs })),
  );
  times.sort((a, b) => (b.at ?? 0) - (a.at ?? 0));
  // What cannot be removed lies about, which is no reason to deploy nothing.
  await Promise.all(
    times.slice(kept).map(({ name }) => rm(`${folder}/${name}`, { force: true }).catch(() => undefined)),
  );
}
