import { type App, decodeBitmap, type ManifestFile, SlError } from '@silverlining/protocol';
import type { PackWish, ReleaseSource, ScannedRelease } from '../../ports.ts';
import { locateIn } from './locate.ts';
import { createSharing, fillWith, mebibytes, type Packing } from './shared-pack.ts';
import type { Spool } from './spool.ts';
import { packedBytes, type TarInput, tarPieces } from './tar-stream.ts';

/** Bytes that an archive has at most beside the contents: headers with long paths, and what compressing adds to what cannot be. */
const AROUND_A_FILE = 16 << 10;
const AROUND_ALL = 1 << 20;

/** Packs, or has fetched, once what several nodes lack in the same way. */
export function createPacker(directory: string): Pick<ReleaseSource, 'pack' | 'borrow'> {
  const shared = createSharing(directory);
  return {
    pack(app, release, { missing, parts = [], isAgain = false, plain = false }) {
      const ofParts = parts.map((part) => `${part.file.path} ${part.missing}`);
      const key = [release.digest, missing, isAgain, plain, ...ofParts].join('\n');
      return shared(key, () => tarPacking(inputOf(app, release, { missing, parts }), plain)).open;
    },
    async borrow(release, missing, fetch) {
      const files = filesOf(release, missing);
      const bytes = files.reduce((sum, file) => sum + file.size, 0);
      const { pack, open } = shared([release.digest, missing, 'borrowed'].join('\n'), () => ({
        ...{ files: files.length, bytes },
        fill: (spool) => fetch((chunk) => keep(spool, chunk, bytes + files.length * AROUND_A_FILE + AROUND_ALL)),
      }));
      try {
        await pack.whole;
        return open;
      } catch (error) {
        await open.close();
        throw error;
      }
    },
  };
}

function inputOf(
  app: App,
  release: ScannedRelease,
  { missing, parts }: Required<Pick<PackWish, 'missing' | 'parts'>>,
): TarInput {
  return {
    files: filesOf(release, missing),
    parts: new Map(parts.map((part) => [part.file.path, part])),
    locate: (path) => locateIn(app, path),
  };
}

/** A node that sends more than there can be must not fill this machine's disk. */
async function keep(spool: Spool, chunk: Buffer, most: number): Promise<void> {
  if (spool.length + chunk.length <= most) return spool.write(chunk);
  throw new SlError('E_TAR_TOO_LARGE', `the archive that a node lends has more than ${mebibytes(most)}`);
}

function filesOf(release: ScannedRelease, missing: string): ManifestFile[] {
  const { files } = release.manifest;
  return decodeBitmap(missing, files.length).flatMap((index) => files[index] ?? []);
}

function tarPacking(input: TarInput, plain: boolean): Packing {
  return {
    files: input.files.length,
    bytes: input.files.reduce((sum, file) => sum + packedBytes(file, input.parts.get(file.path)), 0),
    fill: (spool, signal) => fillWith(spool, tarPieces(input), { plain }, signal),
  };
}
