import { closeSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { unusable } from '../io/directories.ts';

/** A log larger than this is put aside when the next controller starts; one old log is kept. */
const ROTATE_BYTES = 8 << 20;

export function daemonLogPath(stateDir: string): string {
  return join(stateDir, 'controller.log');
}

/** Opens the log for a daemon's output; returns the descriptor and how long the log is. */
export function openDaemonLog(stateDir: string): { descriptor: number; length: number } {
  const path = daemonLogPath(stateDir);
  try {
    if (sizeOf(path) > ROTATE_BYTES) renameSync(path, `${path}.1`);
    return { descriptor: openSync(path, 'a', 0o600), length: sizeOf(path) };
  } catch (cause) {
    throw unusable(path, 'XDG_STATE_HOME', cause);
  }
}

/** The lines that were written from `position` on, 64 KiB of them at most, and where the next ones begin. */
export function readLog(path: string, position: number): { lines: string[]; position: number } {
  const size = sizeOf(path);
  // A log that is shorter than before is a new one.
  const from = position > size ? 0 : position;
  const buffer = Buffer.alloc(Math.min(size - from, 65_536));
  if (buffer.length === 0) return { lines: [], position: from };
  const descriptor = openSync(path, 'r');
  try {
    const read = readSync(descriptor, buffer, 0, buffer.length, from);
    const whole = buffer.subarray(0, read).lastIndexOf(10) + 1;
    const text = buffer.subarray(0, whole).toString('utf8');
    return { lines: text.split('\n').slice(0, -1), position: from + whole };
  } finally {
    closeSync(descriptor);
  }
}

/** The last lines, out of the last 64 KiB, and the position after them. */
export function lastLogLines(path: string, count: number): { lines: string[]; position: number } {
  const start = Math.max(0, sizeOf(path) - 65_536);
  const { lines, position } = readLog(path, start);
  // What was read from the middle of the log begins in the middle of a line.
  const whole = start === 0 ? lines : lines.slice(1);
  return { lines: count === 0 ? [] : whole.slice(-count), position };
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
