/** Sets of indices into a manifest's files, as base64 of a bitmap, least significant bit first. */
import { SlError } from './errors.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** The bitmap of `length` bits in which those of the indices are set. */
export function encodeBitmap(length: number, indices: Iterable<number>): string {
  const bytes = new Uint8Array(Math.ceil(length / 8));
  for (const i of indices) bytes[i >> 3] = at(bytes, i >> 3) | (1 << (i & 7));
  return toBase64(bytes);
}

/** The indices that are set, ascending. E_FRAME when the text is no bitmap of `length` bits. */
export function decodeBitmap(text: string, length: number): number[] {
  const bytes = fromBase64(text);
  if (bytes?.length !== Math.ceil(length / 8)) throw new SlError('E_FRAME', `not a bitmap of ${length} bits`);
  const set: number[] = [];
  for (let i = 0; i < bytes.length * 8; i++) {
    if ((at(bytes, i >> 3) & (1 << (i & 7))) === 0) continue;
    if (i >= length) throw new SlError('E_FRAME', `a bitmap of ${length} bits has bit ${i} set`);
    set.push(i);
  }
  return set;
}

function at(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0;
}

function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const word = (at(bytes, i) << 16) | (at(bytes, i + 1) << 8) | at(bytes, i + 2);
    for (let part = 0; part < 4; part++) {
      text += i + part <= bytes.length ? ALPHABET.charAt((word >> (18 - 6 * part)) & 63) : '=';
    }
  }
  return text;
}

function fromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const digits = text.replace(/=+$/, '');
  const bytes = new Uint8Array(Math.floor((digits.length * 6) / 8));
  for (let i = 0; i < bytes.length; i++) {
    const bit = i * 8;
    const high = ALPHABET.indexOf(digits.charAt(Math.floor(bit / 6)));
    const low = ALPHABET.indexOf(digits.charAt(Math.floor(bit / 6) + 1));
    bytes[i] = ((high << (2 + (bit % 6))) | (low >> (4 - (bit % 6)))) & 255;
  }
  return bytes;
}
