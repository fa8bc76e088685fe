import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Writes a file of a cache whole or not at all, as two may do so at once; it need not survive a power cut. Where it cannot be
 * written, on a full disk say, nothing happens: what it holds is found out again the next time.
 */
export async function writeCacheFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(temporary, text, { mode: 0o600 });
    await rename(temporary, path);
  } catch {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
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
