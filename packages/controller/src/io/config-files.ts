import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import {
  type ConfigFiles,
  type FileRead,
  KNOWN,
  type Known,
  type LoadedSet,
  loadServerSet,
  MAX_CONFIG_BYTES,
} from '../core/config/index.ts';

export interface ReadServerSetOptions {
  /** The environment for `${NAME}`; this process's own when not given. */
  env?: NodeJS.ProcessEnv | undefined;
  known?: Known | undefined;
}

/** Reads a server set file from disk, with all that it refers to. Problems are in the result; nothing is thrown. */
export function readServerSet(
  file: string,
  { env = process.env, known = KNOWN }: ReadServerSetOptions = {},
): LoadedSet {
  return loadServerSet(resolve(file), { files: createConfigFiles(), env, home: resolve(env.HOME || homedir()), known });
}

/** The file system as `core/config` sees it. */
export function createConfigFiles(): ConfigFiles {
  return { readFile: readConfigFile, kindOf };
}

function readConfigFile(path: string): FileRead {
  try {
    return decode(readLimited(path));
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'missing' };
    return { kind: 'unusable', why: `cannot be read: ${code === 'EACCES' ? 'permission denied' : String(error)}` };
  }
}

/** Up to one byte more than is allowed, or undefined for what is no regular file. */
function readLimited(path: string): Uint8Array | undefined {
  // Without O_NONBLOCK opening a FIFO waits for a writer that may never come.
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!fstatSync(descriptor).isFile()) return undefined;
    // Memory that nobody wrote to before has only the pages that the file needs.
    const buffer = Buffer.allocUnsafe(MAX_CONFIG_BYTES + 1);
    let length = 0;
    for (;;) {
      const read = readSync(descriptor, buffer, length, buffer.length - length, null);
      length += read;
      if (read === 0 || length === buffer.length) return buffer.subarray(0, length);
    }
  } finally {
    closeSync(descriptor);
  }
}

function decode(bytes: Uint8Array | undefined): FileRead {
  if (bytes === undefined) return { kind: 'unusable', why: 'is not a regular file' };
  if (bytes.length > MAX_CONFIG_BYTES) return { kind: 'unusable', why: 'too large: more than 1 MB' };
  try {
    return { kind: 'text', text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { kind: 'unusable', why: 'not UTF-8' };
  }
}

function kindOf(path: string): 'file' | 'directory' | undefined {
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) return 'directory';
    return stat.isFile() ? 'file' : undefined;
  } catch {
    // Absent, or behind a directory that may not be searched: for a reader the same.
    return undefined;
  }
}

function errorCode(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
