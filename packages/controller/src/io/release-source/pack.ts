import { PassThrough, type Transform } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import { type App, decodeBitmap, type ManifestFile, SlError } from '@silverlining/protocol';
import { freeSpace, isOutOfSpace } from '@silverlining/system';
import type { PackedRelease, ReleaseSource, ScannedRelease } from '../../ports.ts';
import { Spool, writeTo } from './spool.ts';
import { packedBytes, type TarInput, tarPieces } from './tar-stream.ts';

/** A window of 512 KiB: releases get no larger by it, and what a node unpacks stays in its processor's cache. */
const OPTIONS = {
  chunkSize: 128 << 10,
  params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_windowLog]: 19 },
};

/** Bytes that an archive has at most beside the contents: headers with long paths, and what compressing adds to what cannot be. */
const AROUND_A_FILE = 16 << 10;
const AROUND_ALL = 1 << 20;

/** Packs, or has fetched, once what several nodes lack in the same way. */
export function createPacker(directory: string): Pick<ReleaseSource, 'pack' | 'borrow'> {
  const packs = new Map<string, SharedPack>();
  const shared = (key: string, make: () => Packing) => {
    const pack = packs.get(key) ?? new SharedPack(directory, make());
    packs.set(key, pack);
    const forget = () => {
      if (packs.get(key) === pack) packs.delete(key);
    };
    // Whoever asks after a failure has it tried anew.
    pack.whole.catch(forget);
    return { pack, open: pack.share(forget) };
  };
  return {
    pack(app, release, { missing, parts = [], isAgain = false, plain = false }) {
      const ofParts = parts.map((part) => `${part.file.path} ${part.missing}`);
      const key = [release.digest, missing, isAgain, plain, ...ofParts].join('\n');
      const input = () => ({
        files: filesOf(release, missing),
        parts: new Map(parts.map((part) => [part.file.path, part])),
        locate: (path: string) => locateIn(app, path),
      });
      return shared(key, () => tarPacking(input(), plain ? store : compress)).open;
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

/** A node that sends more than there can be must not fill this machine's disk. */
async function keep(spool: Spool, chunk: Buffer, most: number): Promise<void> {
  if (spool.length + chunk.length <= most) return spool.write(chunk);
  throw new SlError('E_TAR_TOO_LARGE', `the archive that a node lends has more than ${mebibytes(most)}`);
}

function filesOf(release: ScannedRelease, missing: string): ManifestFile[] {
  const { files } = release.manifest;
  return decodeBitmap(missing, files.length).flatMap((index) => files[index] ?? []);
}

/** What an archive is made of. */
interface Packing {
  files: number;
  /** Uncompressed bytes. */
  bytes: number;
  /** Writes all of it, as it is to be sent. */
  fill(spool: Spool, signal: AbortSignal): Promise<void>;
}

type Fill = (pieces: Generator<Buffer>, spool: Spool, signal: AbortSignal) => Promise<void>;

function tarPacking(input: TarInput, fill: Fill): Packing {
  return {
    files: input.files.length,
    bytes: input.files.reduce((sum, file) => sum + packedBytes(file, input.parts.get(file.path)), 0),
    async fill(spool, signal) {
      const pieces = tarPieces(input);
      try {
        await fill(pieces, spool, signal);
      } finally {
        // A compressor that is destroyed need not answer the write that it has in hand: the file would stay open.
        pieces.return(undefined);
      }
    },
  };
}

const store: Fill = async (pieces, spool, signal) => {
  for (const piece of pieces) {
    signal.throwIfAborted();
    await spool.write(piece);
  }
};

const compress: Fill = async (pieces, spool, signal) => {
  const compressor = createZstdCompress(OPTIONS);
  const stored = pipeline(
    compressor,
    async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) await spool.write(chunk);
    },
    { signal },
  );
  // What goes wrong with either end is what the other one fails with.
  feed(compressor, pieces).catch((error: unknown) => {
    compressor.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  await stored;
};

/** One archive, and how many still need it. */
class SharedPack {
  /** Settles when all of it is there. */
  readonly whole: Promise<void>;
  readonly #directory: string;
  readonly #packing: Packing;
  readonly #spool: Promise<Spool>;
  readonly #stop = new AbortController();
  #text: Promise<string> | undefined;
  #users = 0;

  constructor(directory: string, packing: Packing) {
    this.#directory = directory;
    this.#packing = packing;
    this.#spool = Spool.create(directory);
    this.whole = this.#pack();
    // Readers report it; an archive that nobody asks for any more need not.
    this.whole.catch(() => undefined);
  }

  share(onLast: () => void): PackedRelease {
    this.#users++;
    let open = true;
    return {
      files: this.#packing.files,
      bytes: this.#packing.bytes,
      send: async (sink, signal, took = () => undefined) => (await this.#spool).send(sink, signal, took),
      base64: () => {
        this.#text ??= this.#base64();
        return this.#text;
      },
      close: async () => {
        if (!open) return;
        open = false;
        if (--this.#users > 0) return;
        onLast();
        await this.#dispose();
      },
    };
  }

  async #base64(): Promise<string> {
    const sink = new PassThrough();
    const sent = (await this.#spool).send(sink, this.#stop.signal, () => undefined);
    const [all] = await Promise.all([buffer(sink), sent]);
    return all.toString('base64');
  }

  async #pack(): Promise<void> {
    const spool = await this.#spool;
    try {
      await this.#packing.fill(spool, this.#stop.signal);
    } catch (error) {
      const reason = await this.#reason(error);
      spool.finish(reason);
      throw reason;
    }
    spool.finish();
  }

  async #reason(cause: unknown): Promise<unknown> {
    if (!isOutOfSpace(cause)) return cause;
    const [need, { bytes: free }] = [this.#packing.bytes, await freeSpace(this.#directory)];
    const text = `this machine's disk is full: packing takes up to ${mebibytes(need)} in ${this.#directory}; ${mebibytes(free)} are free`;
    return new SlError('E_DISK_FULL', text, { cause, details: { need, free } });
  }

  async #dispose(): Promise<void> {
    this.#stop.abort(new SlError('E_ABORTED', 'the archive is not needed any more'));
    await Promise.allSettled([this.whole]);
    // One that could not be made has failed whoever reads it already.
    await this.#spool.then(
      (spool) => spool.close(),
      () => undefined,
    );
  }
}

async function feed(compressor: Transform, pieces: Iterable<Buffer>): Promise<void> {
  // A compressor has done with a piece when it has taken it; only then its memory is used again.
  for (const piece of pieces) await writeTo(compressor, piece);
  compressor.end();
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / (1 << 20))} MiB`;
}

/** Where a file of the manifest is on this machine. */
export function locateIn(app: App, path: string): string {
  const [part = '', ...rest] = path.split('/');
  const folder = part === 'config' ? app.config : app.dir;
  if (folder === undefined) throw new SlError('E_INTERNAL', `${path}: app ${app.name} has no configuration folder`);
  return `${folder}/${rest.join('/')}`;
}
