import type { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { constants, createZstdDecompress, zstdDecompress } from 'node:zlib';
import {
  BULK_FRAME,
  type ChunkLists,
  checkManifest,
  chunkLists,
  type ErrorCode,
  isManifestText,
  manifest,
  readManifestText,
  SlError,
} from '@silverlining/protocol';
import * as z from 'zod/mini';
import type { Admission } from '../../core/release/admission.ts';
import { Listing } from '../../core/release/listing.ts';
import { giveBack } from '../wide-reads.ts';
import { type EntrySink, TarReader } from './tar-reader.ts';

/** A sender that is silent this long while it is listened to is gone, whatever its socket says. */
const SILENCE_MS = 60_000;
/** zstd's window: ours is 2 MiB at most; an archive that wants more memory than 16 MiB is not ours. */
const WINDOW = { params: { [constants.ZSTD_d_windowLogMax]: 24 } };
const STREAM = { ...WINDOW, chunkSize: 512 << 10 };
const MAX_COMPRESSED = 64 << 20;
const MAX_DOCUMENT = 256 << 20;

export interface Unpacking {
  admission: Admission;
  sink: EntrySink;
  /** The stream is the tar itself; otherwise zstd compressed it. */
  plain?: boolean;
}

/**
 * Feeds the entries of a tar stream to the sink, as fast as it takes them. Throws E_TAR_* or E_MANIFEST for what
 * is wrong with the archive, E_DEADLINE when nothing comes any more, E_ABORTED.
 */
export async function unpack(
  input: Readable,
  { admission, sink, plain = false }: Unpacking,
  signal: AbortSignal,
): Promise<void> {
  const reader = new TarReader(admission, sink);
  await pour(input, { plain, what: 'release archive', push: (chunk) => reader.push(chunk) }, signal);
  reader.finish();
}

export interface Pouring {
  plain: boolean;
  /** For people. */
  what: string;
  /** Takes the next bytes, which are its own until it is done with them. */
  push(chunk: Buffer): Promise<void> | void;
}

/** Hands on all that comes, unpacked. Throws what `push` throws, E_TAR_TRUNCATED for a stream that is cut or damaged, E_DEADLINE, E_ABORTED. */
export async function pour(input: Readable, { plain, what, push }: Pouring, signal: AbortSignal): Promise<void> {
  const consume = async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      await push(chunk);
      if (plain) giveBack(chunk);
    }
  };
  try {
    if (plain) await pipeline(input, () => heard(input), consume, { signal });
    else await pipeline(input, () => gather(heard(input)), createZstdDecompress(STREAM), consume, { signal });
  } catch (error) {
    throw transferError(error, signal, { code: 'E_TAR_TRUNCATED', what });
  }
}

/**
 * Larger pieces, where they came in smaller ones: each costs a way to another thread and back. The next one is asked for when a stream
 * has taken the one before, of which it lets no second one wait.
 */
async function* gather(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of input) {
    parts.push(part);
    bytes += part.length;
    if (bytes < BULK_FRAME) continue;
    yield joined(parts);
    for (const done of parts) giveBack(done);
    [parts, bytes] = [[], 0];
  }
  if (bytes > 0) yield joined(parts);
}

function joined(parts: readonly Buffer[]): Buffer {
  const [first, ...others] = parts;
  return first !== undefined && others.length === 0 ? first : Buffer.concat(parts);
}

/** The manifest that a transfer brings, checked beyond its schema. E_MANIFEST when it is none. */
export async function readListing(transfer: Duplex, signal: AbortSignal): Promise<Listing> {
  const text = await readText(transfer, { what: 'manifest', signal });
  if (isManifestText(text)) return parseListing(text);
  const parsed = parseJson(text, manifest, 'manifest');
  checkManifest(parsed);
  return Listing.of(parsed);
}

/** A manifest from its text, checked beyond its form. E_MANIFEST. */
export function parseListing(text: string): Listing {
  const parsed = readManifestText(text);
  checkManifest(parsed);
  return Listing.of(parsed, text);
}

/** What a transfer says large files consist of. E_MANIFEST when it is something else. */
export async function readChunkLists(transfer: Duplex, signal: AbortSignal): Promise<ChunkLists> {
  const what = 'list of chunks';
  return parseJson(await readText(transfer, { what, signal }), chunkLists, what);
}

function parseJson<T extends z.ZodMiniType>(text: string, schema: T, what: string): z.infer<T> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new SlError('E_MANIFEST', `the ${what} is not JSON`, { cause });
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw new SlError('E_MANIFEST', `not a ${what}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

async function readText(transfer: Duplex, { what, signal }: { what: string; signal: AbortSignal }): Promise<string> {
  try {
    const chunks: Buffer[] = [];
    await pipeline(transfer, () => collectChunks(heard(transfer), chunks), { signal });
    const whole = await promisify(zstdDecompress)(Buffer.concat(chunks), {
      ...WINDOW,
      maxOutputLength: MAX_DOCUMENT,
    });
    return whole.toString('utf8');
  } catch (error) {
    throw transferError(error, signal, { code: 'E_MANIFEST', what });
  }
}

async function collectChunks(source: AsyncIterable<Buffer>, chunks: Buffer[]): Promise<void> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > MAX_COMPRESSED)
      throw new SlError('E_MANIFEST', 'the manifest, or the list of chunks, is larger than 64 MiB');
    chunks.push(chunk);
  }
}

/** What comes of the input, which is destroyed with E_DEADLINE when nothing does. What is done with a part may take its time. */
async function* heard(input: Readable): AsyncGenerator<Buffer> {
  let isHeard = true;
  const timer = setTimeout(() => {
    if (!isHeard) return;
    input.destroy(new SlError('E_DEADLINE', `nothing came over a transfer for ${SILENCE_MS / 1000} s`));
  }, SILENCE_MS);
  try {
    for await (const part of input) {
      isHeard = false;
      yield part;
      isHeard = true;
      // The same one again: to make and to clear one for each of thousands of parts shows.
      timer.refresh();
    }
  } finally {
    clearTimeout(timer);
  }
}

function transferError(error: unknown, signal: AbortSignal, damage: { code: ErrorCode; what: string }): SlError {
  if (signal.aborted) {
    const reason: unknown = signal.reason;
    if (reason instanceof SlError) return reason;
    return new SlError('E_ABORTED', `receiving the ${damage.what} was cancelled`, { cause: error });
  }
  if (error instanceof SlError) return error;
  return new SlError(damage.code, `${damage.what}: ${reasonOf(error)}`, { cause: error });
}

/** What the system says, or whoever puts a content together, has nothing to do with what was sent. */
function reasonOf(error: unknown): string {
  const isLocal = error instanceof RangeError || (error instanceof Error && 'syscall' in error);
  return isLocal ? `it could not be taken in: ${error.message}` : 'damaged, cut short, or not a zstd stream';
}
