/**
 * Files, with promises, for a process that is to stay small: what Node's own `fs/promises` loads, readline among it, is 0.7 MB of memory.
 * What is exported is as it is there, as far as it goes.
 */
import * as fs from 'node:fs';
import { promisify } from 'node:util';

export const access = promisify(fs.access);
export const chmod = promisify(fs.chmod);
export const chown = promisify(fs.chown);
export const copyFile = promisify(fs.copyFile);
export const mkdir = promisify(fs.mkdir);
export const readdir = promisify(fs.readdir);
export const readFile = promisify(fs.readFile);
export const readlink = promisify(fs.readlink);
export const realpath = promisify(fs.realpath.native);
export const rename = promisify(fs.rename);
export const rm = promisify(fs.rm);
export const rmdir = promisify(fs.rmdir);
export const stat = promisify(fs.stat);
export const statfs = promisify(fs.statfs);
export const symlink = promisify(fs.symlink);
export const writeFile = promisify(fs.writeFile);

const openFd = promisify(fs.open);
const closeFd = promisify(fs.close);
const read = promisify(fs.read<Buffer>);
const write = promisify(fs.write<Buffer>);
const ftruncate = promisify(fs.ftruncate);
const fchown = promisify(fs.fchown);
const fchmod = promisify(fs.fchmod);
const fsync = promisify(fs.fsync);

/** A file that is open, until it is closed: unlike Node's, nothing does so for who forgets it. */
export class OpenFile {
  /** -1 once it is closed: another file may have the number then. */
  #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  get fd(): number {
    return this.#fd;
  }

  read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ bytesRead: number }> {
    return read(this.#fd, buffer, offset, length, position);
  }

  write(buffer: Buffer, offset: number, length: number, position: number): Promise<{ bytesWritten: number }> {
    return write(this.#fd, buffer, offset, length, position);
  }

  /** From where it stands, which is its beginning in one that was just opened. */
  writeFile(content: string | Uint8Array): Promise<void> {
    return writeFile(this.#fd, content);
  }

  truncate(length: number): Promise<void> {
    return ftruncate(this.#fd, length);
  }

  chown(uid: number, gid: number): Promise<void> {
    return fchown(this.#fd, uid, gid);
  }

  chmod(mode: number): Promise<void> {
    return fchmod(this.#fd, mode);
  }

  sync(): Promise<void> {
    return fsync(this.#fd);
  }

  async close(): Promise<void> {
    const fd = this.#fd;
    this.#fd = -1;
    if (fd >= 0) await closeFd(fd);
  }
}

/** Throws the system's error. */
export async function open(path: string, flags: string, mode?: number): Promise<OpenFile> {
  return new OpenFile(await openFd(path, flags, mode));
}

/** The bytes of a file from `offset` on, `size` of them or as many as there are, in pieces of memory of their own. */
export async function* readPieces(
  path: string,
  { offset = 0, size = Number.POSITIVE_INFINITY, piece = 64 << 10 } = {},
): AsyncGenerator<Buffer> {
  if (size === 0) return;
  const file = await open(path, 'r');
  try {
    for (let done = 0; done < size; ) {
      const buffer = Buffer.allocUnsafe(Math.min(piece, size - done));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, offset + done);
      if (bytesRead === 0) return;
      done += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
