import { createHash } from 'node:crypto';
import type { ManifestFile } from '@silverlining/protocol';
import { open, type Packed } from '@silverlining/system';

const READ = 512 << 10;
const ALL: Packed = { offset: 0, size: Number.POSITIVE_INFINITY };

/** The SHA-256 of a file, or of what there is of a part of it, in hex. */
async function sha256Of(path: string, signal: AbortSignal, { offset, size } = ALL): Promise<string> {
  const handle = await open(path, 'r');
  const digest = createHash('sha256');
  const buffer = Buffer.allocUnsafe(Math.min(READ, size + 1));
  try {
    for (let done = 0; ; ) {
      signal.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, 0, Math.min(READ, size - done), offset + done);
      if (bytesRead === 0) return digest.digest('hex');
      digest.update(buffer.subarray(0, bytesRead));
      done += bytesRead;
    }
  } finally {
    await handle.close();
  }
}

/** The SHA-256 of a text that comes in pieces, in hex. */
export function sha256OfText(pieces: Iterable<string | Uint8Array>): string {
  const digest = createHash('sha256');
  for (const piece of pieces) digest.update(piece);
  return digest.digest('hex');
}

/** Whether the file at the path, or a part of it, is that content. What the disk does not give is not. */
export async function isContent(
  { sha256 }: ManifestFile,
  { path, part }: { path: string; part?: Packed },
  signal: AbortSignal,
): Promise<boolean> {
  try {
    return (await sha256Of(path, signal, part)) === sha256;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}
