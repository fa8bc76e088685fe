import { closeSync, fdatasync } from 'node:fs';
import type { ManifestFile } from '@silverlining/protocol';
import { diskFull } from './disk-full.ts';

/** Bytes that are written before the disk is told to take them: each round costs a commit of the file system's journal. */
const ROUND = 8 << 20;

/**
 * Has the disk take what is written while more of it comes. The kernel by itself waits for half a minute, or until there is much,
 * so that the sync in the end would find all of it: the disk idle while a release comes, and everybody idle while it writes.
 */
export class WriteBack {
  readonly #descriptor: number;
  #waiting = 0;
  #round: Promise<void> | undefined;
  #error: Error | undefined;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** That many bytes were written. */
  wrote(bytes: number): void {
    this.#waiting += bytes;
    if (this.#waiting >= ROUND) this.push();
  }

  /** Has the disk take what waits, unless it is at it. */
  push(): void {
    if (this.#waiting === 0 || this.#round !== undefined) return;
    this.#waiting = 0;
    this.#round = new Promise((done) => {
      fdatasync(this.#descriptor, (error) => {
        this.#round = undefined;
        // The kernel reports what it could not write once, to whoever asks first.
        this.#error ??= error ?? undefined;
        done();
      });
    });
  }

  /** Whether the descriptor may be closed without waiting for `end`. */
  get isIdle(): boolean {
    return this.#round === undefined && this.#error === undefined;
  }

  /** Closes the descriptor when the disk is done with it. E_DISK_FULL, with the file to name, or whatever else it did not take. */
  async close(file: ManifestFile | undefined): Promise<void> {
    try {
      await this.end();
    } catch (error) {
      throw diskFull(file, error);
    } finally {
      closeSync(this.#descriptor);
    }
  }

  /** Before the descriptor is closed. Throws what the disk did not take. */
  async end(): Promise<void> {
    await this.#round;
    if (this.#error !== undefined) throw this.#error;
  }
}
