import type { ManifestFile } from '@silverlining/protocol';
import { Header, Pax } from 'tar';
import { partBytes } from '../../core/release/file-part.ts';
import type { FilePart } from '../../ports.ts';
import { readParts, wholeFile } from './file-content.ts';
import { inPieces } from './pieces.ts';

const BLOCK = 512;
/** Bytes of a file that are read at once. */
const READ = 256 << 10;
/** The end of an archive; parts of it fill blocks up. */
const ZEROS = Buffer.alloc(2 * BLOCK);

export interface TarInput {
  files: readonly ManifestFile[];
  /** Files of which only some chunks are packed, by path. */
  parts: ReadonlyMap<string, FilePart>;
  /** Where a file of the manifest is on this machine. */
  locate(path: string): string;
}

/**
 * The tar of the files, in order. The same files give the same bytes: no times, no owners. Each is checked against
 * the manifest as it is read; E_APP_CONFIG when it changed since it was scanned. Every piece is valid until the next
 * one is asked for: all of them share their memory.
 */
export function tarPieces(input: TarInput): Generator<Buffer> {
  return inPieces(tarParts(input));
}

/** Bytes of a file that are packed. */
export function packedBytes(file: ManifestFile, part: FilePart | undefined): number {
  return part === undefined ? file.size : partBytes(part);
}

function* tarParts({ files, parts, locate }: TarInput): Generator<Buffer> {
  const buffer = Buffer.allocUnsafe(READ);
  for (const file of files) {
    const part = parts.get(file.path);
    const bytes = packedBytes(file, part);
    yield* headerBlocks(file, bytes);
    yield* part === undefined ? wholeFile(file, locate(file.path), buffer) : readParts(locate(file.path), part);
    const padding = (BLOCK - (bytes % BLOCK)) % BLOCK;
    if (padding > 0) yield ZEROS.subarray(0, padding);
  }
  yield ZEROS;
}

function* headerBlocks({ path, mode }: ManifestFile, size: number): Generator<Buffer> {
  const block = Buffer.alloc(BLOCK);
  const header = new Header({ path, mode, size, uid: 0, gid: 0, mtime: new Date(0), type: 'File' });
  if (header.encode(block)) yield new Pax({ path }).encode();
  yield block;
}
