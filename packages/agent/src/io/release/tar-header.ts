/**
 * Decodes what a release archive needs of a tar header. npm's tar does it as well, with dates, owners and devices: with ten thousand
 * entries that took a fifth of all the time that a node needs for a release. Layout: pax(1), "ustar Interchange Format".
 */
import { SlError } from '@silverlining/protocol';
import type { TarHeader } from '../../core/release/admission.ts';

export const BLOCK = 512;

const TYPES: ReadonlyMap<number, string> = new Map(
  Object.entries({
    ...{
      '\0': 'OldFile',
      0: 'File',
      1: 'Link',
      2: 'SymbolicLink',
      3: 'CharacterDevice',
      4: 'BlockDevice',
      5: 'Directory',
    },
    ...{ 6: 'FIFO', 7: 'ContiguousFile', x: 'ExtendedHeader', g: 'GlobalExtendedHeader' },
  }).map(([code, name]) => [code.charCodeAt(0), name]),
);
const SPACE = 0x20;
const ZEROS = Buffer.alloc(BLOCK);
/** First byte of a number that is no text of octal digits, for files from 8 GiB on. */
const BINARY = 0x80;

/**
 * The header at `at`; undefined of a block of zeros, which ends an archive. `path` is that of an extended header. The checksum is
 * not looked at: TLS brings what was sent, a name, size or mode that is not the manifest's is turned away (`Admission`), and the
 * contents have checksums of their own.
 */
export function decodeHeader(data: Buffer, at: number, path: string | undefined): TarHeader | undefined {
  if (data[at] === 0 && ZEROS.compare(data, at, at + BLOCK) === 0) return undefined;
  const type = data[at + 156] ?? 0;
  return {
    path: path ?? pathOf(data, at),
    type: TYPES.get(type) ?? `entry of type ${type}`,
    mode: octal(data, at + 100, at + 108),
    size: data[at + 124] === BINARY ? binary(data, at + 124, at + 136) : octal(data, at + 124, at + 136),
  };
}

function pathOf(data: Buffer, at: number): string {
  const name = text(data, at, at + 100);
  return data[at + 345] === 0 ? name : `${text(data, at + 345, at + 500)}/${name}`;
}

function text(data: Buffer, start: number, end: number): string {
  const zero = data.indexOf(0, start);
  return data.toString('utf8', start, zero === -1 ? end : Math.min(zero, end));
}

/** Digits, after spaces, and before spaces and zeros. By hand: with a pattern it took as long as all else of a header. */
function octal(data: Buffer, start: number, end: number): number {
  let [i, value] = [start, 0];
  while (i < end && data[i] === SPACE) i++;
  const first = i;
  for (let digit = digitAt(data, i); i < end && digit >= 0 && digit < 8; digit = digitAt(data, ++i)) {
    value = value * 8 + digit;
  }
  const isNumber = i > first;
  while (i < end && (data[i] === SPACE || data[i] === 0)) i++;
  if (!isNumber || i < end) throw damaged('a header has a number that is none');
  return value;
}

function digitAt(data: Buffer, at: number): number {
  return (data[at] ?? 0) - 0x30;
}

function binary(data: Buffer, start: number, end: number): number {
  const value = Number(data.readBigUInt64BE(end - 8));
  const fits = data.subarray(start + 1, end - 8).every((byte) => byte === 0) && Number.isSafeInteger(value);
  if (!fits) throw damaged('a header has a number that is too large');
  return value;
}

function damaged(why: string): SlError {
  return new SlError('E_TAR_TRUNCATED', `not a release archive, or a damaged one: ${why}`);
}
