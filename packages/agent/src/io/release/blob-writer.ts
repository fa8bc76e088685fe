import { createHash, type Hash } from 'node:crypto';
import { closeSync, fchmodSync, fchownSync, fsyncSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { type ManifestFile, SlError } from '@silverlining/protocol';
import { errno, type FileOwner } from '@silverlining/system';
import type { EntrySink } from './tar-reader.ts';

/** A content that came whole, still under its temporary name. */
export interface ReceivedBlob {
  temporary: string;
  file: ManifestFile;
}

interface OpenBlob {
  temporary: string;
  file: ManifestFile;
  descriptor: number;
  hash: Hash;
}

/** Writes bodies to files of its folder, and checks each against its hash as it ends. */
export class BlobWriter implements EntrySink {
  readonly received: ReceivedBlob[] = [];
  bytes = 0;
  readonly #folder: string;
  readonly #owner: FileOwner;
  readonly #sync: boolean;
  #open: OpenBlob | undefined;

  /** With `sync` each file is brought to disk as it ends; without it the caller does that for all of them. */
  constructor(folder: string, owner: FileOwner, sync: boolean) {
    this.#folder = folder;
    this.#owner = owner;
    this.#sync = sync;
  }

  begin(file: ManifestFile): void {
    const temporary = `${this.#folder}/${this.received.length}`;
    const descriptor = diskFullAs(file, () => openSync(temporary, 'wx', 0o600));
    this.#open = { temporary, file, descriptor, hash: createHash('sha256') };
    fchownSync(descriptor, this.#owner.uid, this.#owner.gid);
    fchmodSync(descriptor, file.mode);
  }

  data(chunk: Buffer): void {
    const { file, descriptor, hash } = this.#current();
    hash.update(chunk);
    this.bytes += chunk.length;
    diskFullAs(file, () => {
      for (let done = 0; done < chunk.length; ) done += writeSync(descriptor, chunk, done);
    });
  }

  end(): void {
    const { temporary, file, descriptor, hash } = this.#current();
    if (this.#sync) fsyncSync(descriptor);
    closeSync(descriptor);
    this.#open = undefined;
    if (hash.digest('hex') === file.sha256) {
      this.received.push({ temporary, file });
      return;
    }
    unlinkSync(temporary);
    const message = `${JSON.stringify(file.path)} came with another content than the manifest says`;
    throw new SlError('E_MANIFEST', message, { details: { entry: file.path } });
  }

  /** Drops the file that is being written, if any. */
  dispose(): void {
    if (this.#open === undefined) return;
    closeSync(this.#open.descriptor);
    unlinkSync(this.#open.temporary);
    this.#open = undefined;
  }

  #current(): OpenBlob {
    if (this.#open === undefined) throw new SlError('E_INTERNAL', 'a body came before its entry');
    return this.#open;
  }
}

function diskFullAs<T>(file: ManifestFile, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    if (errno(cause) !== 'ENOSPC' && errno(cause) !== 'EDQUOT') throw cause;
    const where = `while ${JSON.stringify(file.path)} was written`;
    throw new SlError('E_DISK_FULL', `the disk, or its inodes, ran out ${where}`, { cause });
  }
}
