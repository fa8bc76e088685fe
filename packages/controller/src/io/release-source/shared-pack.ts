/** Bytes that are made once for all who want the same, kept for as long as somebody does. */
import { type Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import { SlError } from '@silverlining/protocol';
import { freeSpace, isOutOfSpace } from '@silverlining/system';
import type { PackedRelease } from '../../ports.ts';
import { Spool, writeTo } from './spool.ts';

/** A window of 512 KiB: releases get no larger by it, and what a node unpacks stays in its processor's cache. */
const OPTIONS = {
  chunkSize: 128 << 10,
  params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_windowLog]: 19 },
};

/** What an archive is made of. */
export interface Packing {
  files: number;
  /** Uncompressed bytes. */
  bytes: number;
  /** Writes all of it, as it is to be sent. */
  fill(spool: Spool, signal: AbortSignal): Promise<void>;
}

/** Has the packing for a key made, unless it is there; whoever opens it closes it. */
export type Sharing<P extends Packing> = (key: string, make: () => P) => { pack: SharedPack<P>; open: PackedRelease };

/** Archives that are kept in the directory. */
export function createSharing<P extends Packing = Packing>(directory: string): Sharing<P> {
  const packs = new Map<string, SharedPack<P>>();
  return (key, make) => {
    const pack = packs.get(key) ?? new SharedPack(directory, make());
    packs.set(key, pack);
    const forget = () => {
      if (packs.get(key) === pack) packs.delete(key);
    };
    // Whoever asks after a failure has it tried anew.
    pack.whole.catch(forget);
    return { pack, open: pack.share(forget) };
  };
}

/** Writes the pieces, as they are to be sent. Each is done with when the next one is asked for. */
export async function fillWith(
  spool: Spool,
  pieces: Generator<Buffer>,
  { plain }: { plain: boolean },
  signal: AbortSignal,
): Promise<void> {
  try {
    await (plain ? store : compress)(pieces, spool, signal);
  } finally {
    // A compressor that is destroyed need not answer the write that it has in hand: the file would stay open.
    pieces.return(undefined);
  }
}

type Fill = (pieces: Generator<Buffer>, spool: Spool, signal: AbortSignal) => Promise<void>;

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
class SharedPack<P extends Packing> {
  /** Settles when all of it is there. */
  readonly whole: Promise<void>;
  readonly packing: P;
  readonly #directory: string;
  readonly #spool: Promise<Spool>;
  readonly #stop = new AbortController();
  #text: Promise<string> | undefined;
  #users = 0;

  constructor(directory: string, packing: P) {
    this.#directory = directory;
    this.packing = packing;
    this.#spool = Spool.create(directory);
    this.whole = this.#pack();
    // Readers report it; an archive that nobody asks for any more need not.
    this.whole.catch(() => undefined);
  }

  share(onLast: () => void): PackedRelease {
    this.#users++;
    let open = true;
    return {
      files: this.packing.files,
      bytes: this.packing.bytes,
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
    const parts: Buffer[] = [];
    const sink = new Writable({
      write(chunk: Buffer, _encoding, done) {
        parts.push(Buffer.from(chunk));
        done();
      },
    });
    await (await this.#spool).send(sink, this.#stop.signal, () => undefined);
    return Buffer.concat(parts).toString('base64');
  }

  async #pack(): Promise<void> {
    const spool = await this.#spool;
    try {
      await this.packing.fill(spool, this.#stop.signal);
    } catch (error) {
      const reason = await this.#reason(error);
      spool.finish(reason);
      throw reason;
    }
    spool.finish();
  }

  async #reason(cause: unknown): Promise<unknown> {
    if (!isOutOfSpace(cause)) return cause;
    const [need, { bytes: free }] = [this.packing.bytes, await freeSpace(this.#directory)];
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

/** For people. */
export function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / (1 << 20))} MiB`;
}
