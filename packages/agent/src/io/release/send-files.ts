/** Packs files of a release that is here as the controller packs them: a zstd tar stream of regular files. */
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import { type ManifestFile, SlError } from '@silverlining/protocol';
import { readPieces } from '@silverlining/system';
import { Header } from 'tar/header';
import { Pax } from 'tar/pax';
import type { ReleasePorts } from '../../release-ports.ts';
import { BLOCK } from './tar-header.ts';

const OPTIONS = { params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_windowLog]: 19 } };
const PIECE = 128 << 10;
/** The end of an archive; parts of it fill blocks up. */
const ZEROS = Buffer.alloc(2 * BLOCK);

/** E_NOT_FOUND where a file is not there, or not as long as it should be; who receives it checks what is in it. */
export const sendFiles: ReleasePorts['sendFiles'] = async ({ folder, files, sink }, signal) => {
  await pipeline(tarOf(folder, files), createZstdCompress(OPTIONS), sink, { signal });
};

async function* tarOf(folder: string, files: readonly ManifestFile[]): AsyncGenerator<Buffer> {
  for (const file of files) {
    yield* headerOf(file);
    yield* contentOf(folder, file);
    yield ZEROS.subarray(0, (BLOCK - (file.size % BLOCK)) % BLOCK);
  }
  yield ZEROS;
}

/** No times, no owners. */
function* headerOf({ path, mode, size }: ManifestFile): Generator<Buffer> {
  const block = Buffer.alloc(BLOCK);
  const header = new Header({ path, mode, size, uid: 0, gid: 0, mtime: new Date(0), type: 'File' });
  // A long path, or one that is not ASCII, has a header of its own.
  if (header.encode(block)) yield new Pax({ path }).encode();
  yield block;
}

async function* contentOf(folder: string, { path, size }: ManifestFile): AsyncGenerator<Buffer> {
  let sent = 0;
  try {
    // A byte more than there should be says that it is longer.
    for await (const chunk of readPieces(`${folder}/${path}`, { size: size + 1, piece: PIECE })) {
      sent += chunk.length;
      yield chunk;
    }
  } catch (cause) {
    throw new SlError('E_NOT_FOUND', `${JSON.stringify(path)} cannot be read on this node`, { cause });
  }
  if (sent !== size) throw new SlError('E_NOT_FOUND', `${JSON.stringify(path)} is damaged on this node`);
}
