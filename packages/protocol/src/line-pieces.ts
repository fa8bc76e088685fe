/** Goes through a text without another copy of it: pieces of `least` characters and what follows to the end of the line. */
export function* linePieces(text: string, least: number): Generator<string> {
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf('\n', at + least) + 1 || text.length;
    yield text.slice(at, end);
    at = end;
  }
}
