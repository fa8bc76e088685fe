import { readFileSync } from 'node:fs';

/**
 * How many files and connections this process may have open. Node has raised it to the hard limit at its start; more takes
 * `LimitNOFILE`, `ulimit -Hn` or limits.conf. Infinity where the system does not say.
 */
export function openFilesLimit(limits = readLimits()): number {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}

function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return '';
  }
}
