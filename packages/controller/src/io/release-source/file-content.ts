import { createHash, hash } from 'node:crypto';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { chunkDigest, decodeBitmap, MAX_CHUNK, type ManifestFile, SlError } from '@silverlining/protocol';
import type { FilePart } from '../../ports.ts';
import { chunkDigestOf } from './chunk-digest.ts';

const CHUNK = 1 << 20;

/** Reads a file in chunks of up to 1 MiB; each is valid until the next one is asked for. A link is not followed. */
export function* readChunks(absolute: string, buffer: Buffer = Buffer.allocUnsafe(CHUNK)): Generator<Buffer> {
  const opened = open(absolute);
  try {
    for (;;) {
      const bytes = opened.read(buffer);
      if (bytes === 0) return;
      yield buffer.subarray(0, bytes);
    }
  } finally {
    opened.close();
  }
}

/** Some chunks of a file, in order, each valid until the next one; E_APP_CONFIG when the file has other ones by now. */
export function* readParts(absolute: string, { file, chunks, missing }: FilePart): Generator<Buffer> {
  const wanted = new Set(decodeBitmap(missing, chunks.sizes.length));
  const buffer = Buffer.allocUnsafe(MAX_CHUNK);
  const opened = open(absolute);
  let position = 0;
  try {
    for (const [index, size] of chunks.sizes.entries()) {
      if (wanted.has(index)) {
        const chunk = buffer.subarray(0, opened.read(buffer.subarray(0, size), position));
        if (chunkDigestOf(chunk) !== chunkDigest(chunks, index)) throw changed(file);
        yield chunk;
      }
      position += size;
    }
  } finally {
    opened.close();
  }
}

/** Hashes files one after the other with one buffer between them. */
export function createHasher(): (absolute: string) => { sha256: string; bytes: number } {
  const buffer = Buffer.allocUnsafe(CHUNK);
  return (absolute) => {
    const opened = open(absolute);
    try {
      const first = opened.read(buffer);
      // Most files fit: hashing at once is a third of the cost of a hash object.
      if (first < CHUNK) return { sha256: hash('sha256', buffer.subarray(0, first), 'hex'), bytes: first };
      const digest = createHash('sha256').update(buffer);
      let bytes = first;
      for (let more = first; more > 0; bytes += more) {
        more = opened.read(buffer);
        digest.update(buffer.subarray(0, more));
      }
      return { sha256: digest.digest('hex'), bytes };
    } finally {
      opened.close();
    }
  };
}

/** A file in chunks like those above, checked against its manifest entry as they pass. E_APP_CONFIG when it changed since it was scanned. */
export function* wholeFile(file: ManifestFile, absolute: string, buffer: Buffer): Generator<Buffer> {
  if (file.size < buffer.length) {
    yield smallFile(file, absolute, buffer);
    return;
  }
  const check = createContentCheck(file);
  for (const chunk of readChunks(absolute, buffer)) {
    check.add(chunk);
    yield chunk;
  }
  check.finish();
}

/** One read, and one call to hash it: with ten thousand files it shows. */
function smallFile(file: ManifestFile, absolute: string, buffer: Buffer): Buffer {
  const opened = open(absolute);
  try {
    // Asked for more than there should be: what is longer by now has another digest.
    const content = buffer.subarray(0, opened.read(buffer));
    if (hash('sha256', content, 'hex') !== file.sha256) throw changed(file);
    return content;
  } finally {
    opened.close();
  }
}

/** Checks chunks of a file against its manifest entry as they pass. */
export function createContentCheck(file: ManifestFile): { add(chunk: Buffer): void; finish(): void } {
  const digest = createHash('sha256');
  let bytes = 0;
  return {
    add: (chunk) => {
      bytes += chunk.length;
      // More than the archive has announced must not get into it.
      if (bytes > file.size) throw changed(file);
      digest.update(chunk);
    },
    finish: () => {
      if (bytes !== file.size || digest.digest('hex') !== file.sha256) throw changed(file);
    },
  };
}

function changed(file: ManifestFile): SlError {
  const text = `${file.path} changed while being deployed; deploy again`;
  return new SlError('E_APP_CONFIG', text, { details: { entry: file.path } });
}

/** The error for a file that cannot be read. */
export function unreadable(absolute: string, cause: unknown): SlError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new SlError('E_APP_CONFIG', `${absolute} cannot be read: ${why}`, { cause });
}

interface Opened {
  /** From a position, or on from where the last one ended. Returns how many bytes there were. */
  read(into: Buffer, position?: number): number;
  close(): void;
}

/** Without waiting for whoever writes to what is a named pipe by now. Nothing is followed. */
export const READ_FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Also what opens may not be read: a folder by now, or on a disk or a server that fails. */
function open(absolute: string): Opened {
  const descriptor = named(absolute, () => openSync(absolute, READ_FILE));
  return {
    read: (into, position) => named(absolute, () => readSync(descriptor, into, 0, into.length, position ?? null)),
    close: () => closeSync(descriptor),
  };
}

function named<T>(absolute: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw unreadable(absolute, cause);
  }
}
