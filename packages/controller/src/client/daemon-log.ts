import { closeSync, copyFileSync, openSync, readSync, renameSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { SlError } from '@silverlining/protocol';
import { unusable } from '../io/directories.ts';

/** A log larger than this is put aside; one old log is kept. */
const ROTATE_BYTES = 8 << 20;
/** What is read at once; more where that does not hold what is looked for. */
const PIECE = 64 << 10;
const LONGEST_LINE = 4 << 20;
const MOST = 64 << 20;

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

/** Puts the log of a daemon aside that goes on writing to its end. What it writes meanwhile is lost. */
export function putLogAside(stateDir: string): void {
  const path = daemonLogPath(stateDir);
  try {
    if (sizeOf(path) <= ROTATE_BYTES) return;
    copyFileSync(path, `${path}.1`);
    truncateSync(path);
  } catch {
    // No room for two of them: it stays as it is until there is.
  }
}

/** The lines that were written from `position` on, some 64 KiB of them, and where the next ones begin. */
export function readLog(path: string, position: number): { lines: string[]; position: number } {
  const size = sizeOf(path);
  // A log that is shorter than before is a new one.
  const from = position > size ? 0 : position;
  for (let length = PIECE; ; length *= 4) {
    const bytes = readBytes(path, from, Math.min(size, from + length));
    const whole = bytes.lastIndexOf(10) + 1;
    if (whole > 0) return { lines: linesOf(bytes.subarray(0, whole)), position: from + whole };
    if (from + length >= size) return { lines: [], position: from };
    // What is no line of a log must not keep those after it from being shown.
    if (length >= LONGEST_LINE) return { lines: [bytes.toString('utf8')], position: from + bytes.length };
  }
}

/** The last lines, as far as they are in the last 64 MiB, and the position after them. E_CONTROLLER when they cannot be read. */
export function lastLogLines(path: string, count: number): { lines: string[]; position: number } {
  try {
    return readBackwards(path, count);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SlError('E_CONTROLLER', `${path} cannot be read: ${why}`, { cause });
  }
}

function readBackwards(path: string, count: number): { lines: string[]; position: number } {
  const size = sizeOf(path);
  for (let length = PIECE; ; length *= 4) {
    const start = Math.max(0, size - length);
    const bytes = readBytes(path, start, size);
    const end = bytes.lastIndexOf(10) + 1;
    const lines = linesOf(bytes.subarray(0, end));
    // What was read from the middle of the log begins in the middle of a line.
    const whole = start === 0 ? lines : lines.slice(1);
    if (whole.length < count && start > 0 && length < MOST) continue;
    return { lines: count === 0 ? [] : whole.slice(-count), position: start + end };
  }
}

function linesOf(bytes: Buffer): string[] {
  return bytes.toString('utf8').split('\n').slice(0, -1);
}

function readBytes(path: string, from: number, to: number): Buffer {
  if (to <= from) return Buffer.alloc(0);
  const buffer = Buffer.allocUnsafe(to - from);
  const descriptor = openSync(path, 'r');
  try {
    return buffer.subarray(0, readSync(descriptor, buffer, 0, buffer.length, from));
  } finally {
    closeSync(descriptor);
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
