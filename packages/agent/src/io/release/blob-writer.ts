import { createHash, type Hash } from 'node:crypto';
import { closeSync, fchmodSync, fchownSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { CHUNKED_FROM, type ManifestFile, SlError } from '@silverlining/protocol';
import { type FileOwner, isOutOfSpace } from '@silverlining/system';
import type { Assembly } from '../../core/release/assembly.ts';
import { AssembledBlob } from './assembled-blob.ts';
import { blobKey } from './blob-keys.ts';
import type { EntrySink } from './tar-reader.ts';

/** A content that came whole, still under its temporary name. */
export interface ReceivedBlob {
  temporary: string;
  file: ManifestFile;
}

export interface BlobWriterOptions {
  /** Exists, and is this writer's own. */
  folder: string;
  owner: FileOwner;
  /** Contents of which only a part is sent, by path in the manifest. */
  assemblies: ReadonlyMap<string, Assembly>;
  /** Path of a content of the store. */
  locate(key: string): string;
  /** Path of what an earlier try has left of a content. */
  leftover(key: string): string;
}

type Current = { temporary: string; file: ManifestFile } & (
  | { kind: 'plain'; descriptor: number; hash: Hash; length: number }
  | { kind: 'assembled'; blob: AssembledBlob }
);

/** Writes bodies to files of its folder, and checks each against its hash as it ends. They are not on disk yet. */
export class BlobWriter implements EntrySink {
  readonly received: ReceivedBlob[] = [];
  bytes = 0;
  readonly #options: BlobWriterOptions;
  #current: Current | undefined;

  constructor(options: BlobWriterOptions) {
    this.#options = options;
  }

  begin(file: ManifestFile): Promise<void> | undefined {
    const temporary = temporaryPath(this.#options.folder, this.received.length, blobKey(file));
    const assembly = this.#options.assemblies.get(file.path);
    if (assembly !== undefined) return this.#beginAssembly(temporary, file, assembly);
    const { owner } = this.#options;
    const descriptor = diskFullAs(file, () => openSync(temporary, 'wx', 0o600));
    this.#current = { kind: 'plain', temporary, file, descriptor, hash: createHash('sha256'), length: 0 };
    fchownSync(descriptor, owner.uid, owner.gid);
    fchmodSync(descriptor, file.mode);
    return undefined;
  }

  data(chunk: Buffer): Promise<void> | undefined {
    const current = this.#require();
    this.bytes += chunk.length;
    if (current.kind === 'assembled') return this.#guard(current.file, () => current.blob.data(chunk));
    current.hash.update(chunk);
    diskFullAs(current.file, () => {
      for (let done = 0; done < chunk.length; ) done += writeSync(current.descriptor, chunk, done);
    });
    current.length += chunk.length;
    return undefined;
  }

  end(): Promise<void> | undefined {
    const current = this.#require();
    if (current.kind === 'assembled') {
      return this.#guard(current.file, async () => this.#finish(current, await current.blob.end()));
    }
    closeSync(current.descriptor);
    this.#finish(current, current.hash.digest('hex'));
    return undefined;
  }

  /** Ends the file that is being written, if any; keeps what there is of a large one under the given path. */
  async dispose(keepAs?: (key: string) => string): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    this.#current = undefined;
    const length = current.kind === 'plain' ? current.length : current.blob.length;
    if (current.kind === 'plain') closeSync(current.descriptor);
    else await current.blob.close();
    if (keepAs !== undefined && length > 0 && current.file.size >= CHUNKED_FROM) {
      renameSync(current.temporary, keepAs(blobKey(current.file)));
    } else unlinkSync(current.temporary);
  }

  async #beginAssembly(temporary: string, file: ManifestFile, assembly: Assembly): Promise<void> {
    const { owner, locate, leftover } = this.#options;
    if (assembly.prefix > 0) renameSync(leftover(blobKey(file)), temporary);
    const blob = await this.#guard(file, () =>
      AssembledBlob.open({ path: temporary, mode: file.mode, owner, assembly, locate }),
    );
    this.#current = { kind: 'assembled', temporary, file, blob };
  }

  #finish({ temporary, file }: Current, sha256: string): void {
    this.#current = undefined;
    if (sha256 === file.sha256) {
      this.received.push({ temporary, file });
      return;
    }
    unlinkSync(temporary);
    const message = `${JSON.stringify(file.path)} came with another content than the manifest says`;
    throw new SlError('E_MANIFEST', message, { details: { entry: file.path } });
  }

  async #guard<T>(file: ManifestFile, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      throw diskFull(file, error);
    }
  }

  #require(): Current {
    if (this.#current === undefined) throw new SlError('E_INTERNAL', 'a body came before its entry');
    return this.#current;
  }
}

/** A name that says which content it is to become: whoever finds it after a crash can go on with it. */
function temporaryPath(folder: string, number: number, key: string): string {
  return `${folder}/${number}-${key}`;
}

function diskFullAs<T>(file: ManifestFile, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw diskFull(file, error);
  }
}

function diskFull(file: ManifestFile, cause: unknown): unknown {
  if (!isOutOfSpace(cause)) return cause;
  const where = `while ${JSON.stringify(file.path)} was written`;
  return new SlError('E_DISK_FULL', `the disk, or its inodes, ran out ${where}`, { cause });
}
