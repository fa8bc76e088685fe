import { zstdCompressSync } from 'node:zlib';
import { Header, Pax } from 'tar';

/** An entry as an attacker would write it: any type, name, mode and size. */
export interface TarEntry {
  path: string;
  type?:
    | 'File'
    | 'Directory'
    | 'SymbolicLink'
    | 'Link'
    | 'FIFO'
    | 'CharacterDevice'
    | 'BlockDevice'
    | 'GlobalExtendedHeader';
  mode?: number;
  content?: string | Buffer;
  linkpath?: string;
  /** Announced size, when it differs from the content's. */
  size?: number;
}

const BLOCK = 512;

/** An uncompressed tar of the entries, with the blocks that end it. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.flatMap(entryBlocks), Buffer.alloc(2 * BLOCK)]);
}

/** What agents receive. */
export function archiveOf(entries: readonly TarEntry[]): Buffer {
  return zstdCompressSync(tarOf(entries));
}

function entryBlocks(entry: TarEntry): Buffer[] {
  const body = Buffer.from(entry.content ?? '');
  const { path, type = 'File', mode = 0o644, linkpath } = entry;
  const block = Buffer.alloc(BLOCK);
  const fields = { path, type, mode, size: entry.size ?? body.length, mtime: new Date(0) };
  const header = new Header(linkpath === undefined ? fields : { ...fields, linkpath });
  const extended = header.encode(block) ? new Pax({ path }).encode() : Buffer.alloc(0);
  return [extended, block, body, Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK)];
}
