import type { ExecResult } from './exec.ts';

const LOG_LINES = 20;
/**
 * Bytes of a log that goes with an error or an answer. A message has room for 1 MiB, where JSON writes what is no text, such as colours,
 * with six bytes for one.
 */
const LOG_BYTES = 32 << 10;

/** The last lines of what a command wrote, both streams, without blank ones. */
export function logOf(result: Pick<ExecResult, 'stdout' | 'stderr'>, lines = LOG_LINES): string[] {
  const all = `${result.stdout}\n${result.stderr}`.split('\n');
  return newestLines(all.filter((line) => line.trim() !== '').slice(-lines));
}

/** The newest lines that are together no larger than `bytes` of UTF-8. None takes more than a quarter of that; the rest of it is dropped. */
export function newestLines(lines: readonly string[], bytes = LOG_BYTES): string[] {
  const newest: string[] = [];
  const room = new Uint8Array(Math.floor(bytes / 4));
  let left = bytes;
  for (const line of lines.toReversed()) {
    const { read, written } = new TextEncoder().encodeInto(line, room);
    left -= written;
    if (left < 0) break;
    newest.unshift(line.slice(0, read));
  }
  return newest;
}
