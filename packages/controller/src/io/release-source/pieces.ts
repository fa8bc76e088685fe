/** Pieces that are handed on: small files together, so that ten thousand of them are not as many writes. */
const PIECE = 512 << 10;

/** The same bytes in larger pieces. Every piece is valid until the next one is asked for: all of them share their memory. */
export function* inPieces(parts: Iterable<Buffer>): Generator<Buffer> {
  const piece = Buffer.allocUnsafe(PIECE);
  let length = 0;
  for (const part of parts) {
    for (let taken = 0; taken < part.length; ) {
      const copied = part.copy(piece, length, taken);
      taken += copied;
      length += copied;
      if (length < PIECE) continue;
      yield piece;
      length = 0;
    }
  }
  yield piece.subarray(0, length);
}
