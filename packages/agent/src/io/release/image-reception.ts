/** Takes in the image of a release, which the controller has laid out, as it comes. */
import { createHash } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { SlError } from '@silverlining/protocol';
import type { ImageForm, ReceivedImage } from '../../content-ports.ts';
import { diskFullAs } from './disk-full.ts';
import type { Leftovers } from './leftovers.ts';
import { PACK_DATA, PACK_INDEX } from './pack.ts';
import { isDiskFull, withSpace } from './reception.ts';
import { pour } from './unpack.ts';
import { writeAll } from './write-all.ts';
import { WriteBack } from './write-back.ts';

export interface ImageReception {
  input: Readable;
  form: ImageForm;
  signal: AbortSignal;
  /** A folder of its own. */
  batch: string;
  leftovers: Pick<Leftovers, 'removeAll'>;
  /** Takes what came of one that was cut. */
  admitPart(): void;
}

/** Writes the index and the image to the batch, where they make a pack. */
export async function receiveImage({ form, batch, leftovers, ...reception }: ImageReception): Promise<WrittenImage> {
  const writer = new ImageWriter(batch, form);
  try {
    const push = (chunk: Buffer) => writer.push(chunk);
    await pour(reception.input, { plain: form.plain, what: 'image of a release', push }, reception.signal);
    return writer.finish();
  } catch (error) {
    await writer.abandon();
    if (isDiskFull(error)) {
      leftovers.removeAll();
      throw await withSpace(error, { need: form.index + form.bytes, batch });
    }
    if (writer.hasIndex) reception.admitPart();
    throw error;
  }
}

/** SHA-256 of index and image, and when the disk has them. */
export type WrittenImage = Pick<ReceivedImage, 'sha256' | 'written'>;

/** The index comes first: whatever interrupts the rest, what came of that can be looked at. */
class ImageWriter {
  readonly #index: number;
  readonly #data: number;
  readonly #form: ImageForm;
  readonly #digest = createHash('sha256');
  readonly #writeBack: WriteBack;
  #came = 0;
  #isOpen = true;

  constructor(folder: string, form: ImageForm) {
    this.#form = form;
    this.#index = openSync(`${folder}/${PACK_INDEX}`, 'wx', 0o600);
    this.#data = openSync(`${folder}/${PACK_DATA}`, 'wx', 0o600);
    this.#writeBack = new WriteBack(this.#data);
  }

  get hasIndex(): boolean {
    return this.#came >= this.#form.index;
  }

  push(chunk: Buffer): void {
    const { index, bytes } = this.#form;
    const at = this.#came;
    if (at + chunk.length > index + bytes) throw damaged('E_TAR_TOO_LARGE', 'longer than was said');
    this.#digest.update(chunk);
    const ofIndex = Math.min(Math.max(index - at, 0), chunk.length);
    if (ofIndex > 0) diskFullAs(undefined, () => writeAll(this.#index, chunk.subarray(0, ofIndex), at));
    if (ofIndex < chunk.length) {
      diskFullAs(undefined, () => writeAll(this.#data, chunk.subarray(ofIndex), at + ofIndex - index));
      this.#writeBack.wrote(chunk.length - ofIndex);
    }
    this.#came += chunk.length;
  }

  finish(): WrittenImage {
    const { index, bytes } = this.#form;
    if (this.#came < index + bytes) throw damaged('E_TAR_TRUNCATED', 'it ended early');
    this.#writeBack.push();
    const written = this.#close();
    // Whoever uses the image hears of it.
    written.catch(() => undefined);
    return { sha256: this.#digest.digest('hex'), written };
  }

  async abandon(): Promise<void> {
    // What the disk did not take is of no interest any more.
    await this.#close().catch(() => undefined);
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.#index);
    await this.#writeBack.close(undefined);
  }
}

function damaged(code: 'E_TAR_TOO_LARGE' | 'E_TAR_TRUNCATED', why: string): SlError {
  return new SlError(code, `image of a release: ${why}`);
}
