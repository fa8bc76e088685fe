import type { ManifestFile } from '@silverlining/protocol';
import { Header, Pax } from 'tar';
import { createContentCheck, readChunks } from './file-content.ts';

const BLOCK = 512;
/** Pieces that are handed on: small files together, so that ten thousand of them are not as many writes. */
const PIECE = 1 << 20;

/** Where a file of the manifest is on this machine. */
export type Locate = (path: string) => string;

/**
 * The tar of the files, in order. The same files give the same bytes: no times, no owners. Each is checked against
 * the manifest as it is read; E_APP_CONFIG when it changed since it was scanned.
 */
export function* tarPieces(files: readonly ManifestFile[], locate: Locate): Generator<Buffer> {
  const buffer = Buffer.allocUnsafe(PIECE);
  let piece: Buffer[] = [];
  let length = 0;
  for (const part of tarParts(files, locate, buffer)) {
    // The reader's buffer is used again for the next file.
    piece.push(Buffer.from(part));
    length += part.length;
    if (length < PIECE) continue;
    yield Buffer.concat(piece, length);
    piece = [];
    length = 0;
  }
  yield Buffer.concat([...piece, Buffer.alloc(2 * BLOCK)]);
}

function* tarParts(files: readonly ManifestFile[], locate: Locate, buffer: Buffer): Generator<Buffer> {
  for (const file of files) {
    yield* headerBlocks(file);
    const check = createContentCheck(file);
    for (const chunk of readChunks(locate(file.path), buffer)) {
      check.add(chunk);
      yield chunk;
    }
    check.finish();
    const padding = (BLOCK - (file.size % BLOCK)) % BLOCK;
    if (padding > 0) yield Buffer.alloc(padding);
  }
}

function* headerBlocks({ path, mode, size }: ManifestFile): Generator<Buffer> {
  const block = Buffer.alloc(BLOCK);
  const header = new Header({ path, mode, size, uid: 0, gid: 0, mtime: new Date(0), type: 'File' });
  if (header.encode(block)) yield new Pax({ path }).encode();
  yield block;
}
