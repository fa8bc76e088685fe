import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import { type App, decodeBitmap, type ManifestFile, SlError } from '@silverlining/protocol';
import type { PackedRelease, ScannedRelease } from '../../ports.ts';
import { Spool } from './spool.ts';
import { tarPieces } from './tar-stream.ts';

const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 3 } };

/** Packs once what several nodes lack in the same way. */
export function createPacker(directory: string): (app: App, release: ScannedRelease, missing: string) => PackedRelease {
  const packs = new Map<string, SharedPack>();
  return (app, release, missing) => {
    const key = `${release.digest} ${missing}`;
    let pack = packs.get(key);
    if (pack === undefined) {
      pack = new SharedPack(directory, app, filesOf(release, missing));
      packs.set(key, pack);
    }
    return pack.share(() => packs.delete(key));
  };
}

function filesOf(release: ScannedRelease, missing: string): ManifestFile[] {
  const { files } = release.manifest;
  return decodeBitmap(missing, files.length).flatMap((index) => files[index] ?? []);
}

/** One archive, and how many still need it. */
class SharedPack {
  readonly #files: readonly ManifestFile[];
  readonly #spool: Promise<Spool>;
  readonly #packed: Promise<number>;
  readonly #stop = new AbortController();
  #users = 0;

  constructor(directory: string, app: App, files: readonly ManifestFile[]) {
    this.#files = files;
    this.#spool = Spool.create(directory);
    this.#packed = this.#pack(app);
    // Readers and `compressed` report it; an archive that nobody asks for any more need not.
    this.#packed.catch(() => undefined);
  }

  share(onLast: () => void): PackedRelease {
    this.#users++;
    let open = true;
    return {
      files: this.#files.length,
      bytes: this.#files.reduce((sum, file) => sum + file.size, 0),
      open: (signal) => this.#open(signal),
      compressed: () => this.#packed,
      close: async () => {
        if (!open) return;
        open = false;
        if (--this.#users > 0) return;
        onLast();
        await this.#dispose();
      },
    };
  }

  #open(signal: AbortSignal): Readable {
    const spool = this.#spool;
    const read = async function* () {
      yield* (await spool).read(signal);
    };
    return Readable.from(read(), { objectMode: false });
  }

  async #pack(app: App): Promise<number> {
    const spool = await this.#spool;
    const locate = (path: string) => locateIn(app, path);
    const store = async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) await spool.write(chunk);
    };
    try {
      const signal = this.#stop.signal;
      await pipeline(Readable.from(tarPieces(this.#files, locate)), createZstdCompress(LEVEL), store, { signal });
    } catch (error) {
      spool.finish(error);
      throw error;
    }
    spool.finish();
    return spool.length;
  }

  async #dispose(): Promise<void> {
    this.#stop.abort(new SlError('E_ABORTED', 'the archive is not needed any more'));
    await Promise.allSettled([this.#packed]);
    await (await this.#spool).close();
  }
}

function locateIn(app: App, path: string): string {
  const [part = '', ...rest] = path.split('/');
  const folder = part === 'config' ? app.config : app.dir;
  if (folder === undefined) throw new SlError('E_INTERNAL', `${path}: app ${app.name} has no configuration folder`);
  return `${folder}/${rest.join('/')}`;
}
