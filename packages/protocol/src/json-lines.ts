import { SlError } from './errors.ts';

/** Characters of a line that nobody of ours writes. */
const LONGEST = 1 << 20;

/**
 * The lines of newline-delimited JSON. Node's own reader of lines ends one at U+2028 and U+2029 as well, which JSON has as they are
 * in the middle of a text. E_FRAME for a line that goes on and on.
 */
export async function* jsonLines(pieces: AsyncIterable<string>, longest = LONGEST): AsyncGenerator<string> {
  let rest = '';
  for await (const piece of pieces) {
    const lines = `${rest}${piece}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield line;
    if (rest.length > longest) throw new SlError('E_FRAME', `a line has more than ${longest} characters`);
  }
  if (rest !== '') yield rest;
}
