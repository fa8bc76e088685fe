/** Node binaries as they come from the controller: compressed, and known by the digest of what is in there. */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { type Duplex, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { SlError } from '@silverlining/protocol';
import { errno, makeDirectoryDurable, open, readdir, rename, rm, rmdir, syncPath } from '@silverlining/system';
import { asDiskFull } from './full-disk.ts';

/** Bytes of a binary, four times what one has. */
const MAX_RUNTIME = 512 << 20;

/** Where a binary stands in the folder of all of them. */
export function runtimeFile(runtimes: string, digest: string): string {
  return join(runtimes, digest, 'node');
}

/** Unpacks it to its place, durable. E_CONFLICT when it is not what its digest says, E_DISK_FULL. */
export async function keepRuntime(
  runtimes: string,
  { stream, digest }: { stream: Duplex; digest: string },
  signal: AbortSignal,
): Promise<void> {
  const folder = join(runtimes, digest);
  await makeDirectoryDurable(folder, 0o755);
  // One name: what a killed agent left of it is written over.
  const temporary = join(folder, 'node.tmp');
  try {
    if ((await unpack(stream, temporary, signal)) !== digest) throw damaged();
    await rename(temporary, runtimeFile(runtimes, digest));
    await syncPath(folder);
  } catch (error) {
    await rm(temporary, { force: true });
    // One that was there before stays.
    await rmdir(folder).catch(() => undefined);
    throw isOfGzip(error) ? damaged(error) : await asDiskFull(error, runtimes);
  }
}

/** Removes all others, but for those that something still runs under: an app starts its helpers by the path of its own binary. */
export async function removeRuntimes(runtimes: string, keep: readonly string[]): Promise<void> {
  for (const digest of await readdir(runtimes)) {
    if (keep.includes(digest) || (await isRun(runtimeFile(runtimes, digest)))) continue;
    await rm(join(runtimes, digest), { recursive: true, force: true });
  }
}

/** The kernel lets nobody write to a file that is run. To ask it by whom, an agent had to look into the processes of others. */
async function isRun(path: string): Promise<boolean> {
  try {
    await (await open(path, 'r+')).close();
    return false;
  } catch (error) {
    return errno(error) === 'ETXTBSY';
  }
}

/** Returns the SHA-256 of what it wrote. */
async function unpack(stream: Duplex, path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  let size = 0;
  const tap = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      size += chunk.length;
      done(size > MAX_RUNTIME ? damaged() : null, chunk);
    },
  });
  await pipeline(stream, createGunzip(), tap, createWriteStream(path, { mode: 0o755, flush: true }), { signal });
  return hash.digest('hex');
}

function isOfGzip(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'Z_DATA_ERROR' || error.code === 'Z_BUF_ERROR');
}

function damaged(cause?: unknown): SlError {
  return new SlError('E_CONFLICT', 'the Node binary that came is not the one that was announced', { cause });
}
