/**
 * Reads the one kind of tar that release archives are: regular files, with extended headers for long or non-ASCII
 * paths. The entries are not left to the Parser of npm's tar, which skips what it does not like, and joins an extended
 * header that spans two chunks as text.
 */
import type { ManifestFile } from '@silverlining/protocol';
import { SlError } from '@silverlining/protocol';
import { Pax } from 'tar/pax';
import type { Admission, TarHeader } from '../../core/release/admission.ts';
import { BLOCK, decodeHeader } from './tar-header.ts';

/** Takes the bodies of admitted entries, in pieces. Each call comes when the one before has ended. */
export interface EntrySink {
  begin(file: ManifestFile): Promise<void> | undefined;
  data(chunk: Buffer): Promise<void> | undefined;
  end(): Promise<void> | undefined;
}

/** Bytes of an extended header: a path of 1024 characters and what tar puts around it. */
const MAX_EXTENDED = 8192;

type State = 'header' | 'body' | 'padding' | 'extended' | 'ended';

export class TarReader {
  readonly #admission: Admission;
  readonly #sink: EntrySink;
  #state: State = 'header';
  #rest: Buffer = Buffer.alloc(0);
  #total = 0;
  /** Bytes of the current body or padding that are still to come. */
  #remaining = 0;
  /** Bytes of padding after the current body. */
  #padding = 0;
  /** Path that an extended header gave to the next entry. */
  #path: string | undefined;
  /** What the sink has not done yet. */
  #busy: Promise<void> | undefined;

  constructor(admission: Admission, sink: EntrySink) {
    this.#admission = admission;
    this.#sink = sink;
  }

  /** Takes the next bytes. Throws E_TAR_* or E_MANIFEST; nothing may be pushed after that. */
  async push(chunk: Buffer): Promise<void> {
    this.#total += chunk.length;
    if (this.#total > this.#admission.maxBytes) {
      const limit = `${this.#admission.maxBytes} bytes at most`;
      throw new SlError('E_TAR_TOO_LARGE', `release archive: longer than its manifest allows (${limit})`);
    }
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (at < data.length) {
      const used = this.#step(data, at);
      if (this.#busy !== undefined) await this.#busy;
      this.#busy = undefined;
      if (used === 0) break;
      at += used;
    }
    // A copy, of some bytes: who gave the chunk may write to it again.
    this.#rest = Buffer.from(data.subarray(at));
  }

  /** The stream ended. Throws E_TAR_TRUNCATED when it should not have. */
  finish(): void {
    if (this.#state !== 'ended') throw new SlError('E_TAR_TRUNCATED', 'release archive ended early');
    this.#admission.finish();
  }

  /** Uses up some bytes of `data` from `at` on and returns how many; 0 when it needs more. */
  #step(data: Buffer, at: number): number {
    switch (this.#state) {
      case 'header':
        return this.#header(data, at);
      case 'body':
        return this.#body(data, at);
      case 'padding':
        return this.#skipPadding(data.length - at);
      case 'extended':
        return this.#extended(data, at);
      case 'ended':
        return data.length - at;
    }
  }

  #header(data: Buffer, at: number): number {
    if (data.length - at < BLOCK) return 0;
    const header = decodeHeader(data, at, this.#path);
    if (header === undefined) {
      this.#state = 'ended';
      return BLOCK;
    }
    this.#remaining = header.size;
    this.#padding = (BLOCK - (header.size % BLOCK)) % BLOCK;
    if (header.type === 'ExtendedHeader') this.#beginExtended(header.size);
    else this.#beginBody(header);
    return BLOCK;
  }

  #beginExtended(size: number): void {
    if (size > MAX_EXTENDED || this.#path !== undefined) {
      throw new SlError('E_TAR_ENTRY', 'release archive: an extended header is too long or follows another one');
    }
    this.#state = 'extended';
  }

  #beginBody(header: TarHeader): void {
    this.#path = undefined;
    const file = this.#admission.admit(header);
    this.#tell(() => this.#sink.begin(file));
    this.#state = 'body';
    if (header.size === 0) this.#endBody();
  }

  #body(data: Buffer, at: number): number {
    const used = Math.min(data.length - at, this.#remaining);
    this.#tell(() => this.#sink.data(data.subarray(at, at + used)));
    this.#remaining -= used;
    if (this.#remaining === 0) this.#endBody();
    return used;
  }

  #endBody(): void {
    this.#tell(() => this.#sink.end());
    this.#remaining = this.#padding;
    this.#state = this.#padding === 0 ? 'header' : 'padding';
  }

  /** At once when the sink has nothing in hand, as nearly always. */
  #tell(act: () => Promise<void> | undefined): void {
    this.#busy = this.#busy === undefined ? act() : this.#busy.then(act);
  }

  #skipPadding(bytes: number): number {
    const used = Math.min(bytes, this.#remaining);
    this.#remaining -= used;
    if (this.#remaining === 0) this.#state = 'header';
    return used;
  }

  #extended(data: Buffer, at: number): number {
    const whole = this.#remaining + this.#padding;
    if (data.length - at < whole) return 0;
    const pax = Pax.parse(data.toString('utf8', at, at + this.#remaining));
    if (pax.path === undefined || pax.size !== undefined || pax.linkpath !== undefined) {
      throw new SlError('E_TAR_ENTRY', 'release archive: an extended header may give a path and nothing else');
    }
    this.#path = pax.path;
    this.#state = 'header';
    return whole;
  }
}
