import { createHash, type Hash } from 'node:crypto';
import { closeSync, fchmodSync, fchownSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { CHUNKED_FROM, type ManifestFile, SlError } from '@silverlining/protocol';
import { blobKey, type FileOwner } from '@silverlining/system';
import type { Assembly } from '../../core/release/assembly.ts';
import { AssembledBlob } from './assembled-blob.ts';
import { diskFull, diskFullAs, wrongContent } from './disk-full.ts';
import type { EntrySink } from './tar-reader.ts';
import { WriteBack } from './write-back.ts';

/** A content that came whole, still under its temporary name. */
export interface ReceivedBlob {
  temporary: string;
  file: ManifestFile;
}

export interface BlobWriterOptions {
  /** Exists, and is this writer's own. */
  folder: string;
  owner: FileOwner;
  /** Where only whole contents come there are none. */
  parts?: PartsOptions;
}

interface PartsOptions {
  /** Contents of which only a part is sent, by path in the manifest. */
  assemblies: ReadonlyMap<string, Assembly>;
  /** Path of a content of the store. */
  locate(key: string): string;
  /** Makes a file of what an earlier try has left of a content: that many bytes, at least. */
  takeStart(key: string, bytes: number, to: string): Promise<void>;
}

interface Begun {
  temporary: string;
  file: ManifestFile;
}
type Plain = Begun & { kind: 'plain'; descriptor: number; writeBack: WriteBack; hash: Hash; length: number };
type Current = Plain | (Begun & { kind: 'assembled'; blob: AssembledBlob });

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
    const temporary = this.#temporary(file);
    const { parts } = this.#options;
    const assembly = parts?.assemblies.get(file.path);
    if (parts !== undefined && assembly !== undefined)
      return this.#beginAssembly(temporary, file, { ...parts, assembly });
    this.#beginPlain(temporary, file);
    return undefined;
  }

  data(chunk: Buffer): Promise<void> | undefined {
    const current = this.#require();
    this.bytes += chunk.length;
    if (current.kind === 'assembled') return this.#guard(current.file, () => current.blob.data(chunk));
    appendPlain(current, chunk);
    return undefined;
  }

  end(): Promise<void> | undefined {
    const current = this.#require();
    if (current.kind === 'assembled') {
      return this.#guard(current.file, async () => this.#finish(current, await current.blob.end()));
    }
    if (current.writeBack.isIdle) {
      this.#endPlain(current);
      return undefined;
    }
    // Closed whatever comes of it: `dispose` must not close a descriptor that may be another file's by then.
    this.#current = undefined;
    return this.#guard(current.file, async () => {
      await closePlain(current);
      this.#finish(current, current.hash.digest('hex'));
    });
  }

  /** A whole content at once. */
  put(file: ManifestFile, content: Buffer): void {
    const current = this.#beginPlain(this.#temporary(file), file);
    this.bytes += content.length;
    appendPlain(current, content);
    this.#endPlain(current);
  }

  /** Ends the file that is being written, if any; keeps what there is of a large one under the given path. */
  async dispose(keepAs?: (key: string) => string): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    this.#current = undefined;
    const length = current.kind === 'plain' ? current.length : current.blob.length;
    await (current.kind === 'plain' ? closePlain(current) : current.blob.close()).catch(() => undefined);
    if (keepAs !== undefined && length > 0 && current.file.size >= CHUNKED_FROM) {
      renameSync(current.temporary, keepAs(blobKey(current.file)));
    } else unlinkSync(current.temporary);
  }

  #beginPlain(temporary: string, file: ManifestFile): Plain {
    const { owner } = this.#options;
    const descriptor = diskFullAs(file, () => openSync(temporary, 'wx', 0o600));
    const writeBack = new WriteBack(descriptor);
    const hash = createHash('sha256');
    const current: Plain = { kind: 'plain', temporary, file, descriptor, writeBack, hash, length: 0 };
    this.#current = current;
    fchownSync(descriptor, owner.uid, owner.gid);
    fchmodSync(descriptor, file.mode);
    return current;
  }

  #endPlain(current: Plain): void {
    closeSync(current.descriptor);
    this.#finish(current, current.hash.digest('hex'));
  }

  async #beginAssembly(
    temporary: string,
    file: ManifestFile,
    { assembly, locate, takeStart }: Omit<PartsOptions, 'assemblies'> & { assembly: Assembly },
  ): Promise<void> {
    const { owner } = this.#options;
    const key = blobKey(file);
    const blob = await this.#guard(file, async () => {
      if (assembly.prefix > 0) await takeStart(key, assembly.prefix, temporary);
      return AssembledBlob.open({ path: temporary, mode: file.mode, owner, assembly, locate });
    });
    this.#current = { kind: 'assembled', temporary, file, blob };
  }

  #finish({ temporary, file }: Begun, sha256: string): void {
    this.#current = undefined;
    if (sha256 === file.sha256) {
      this.received.push({ temporary, file });
      return;
    }
    unlinkSync(temporary);
    throw wrongContent(file);
  }

  async #guard<T>(file: ManifestFile, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      throw diskFull(file, error);
    }
  }

  /** A name that says which content it is to become: whoever finds it after a crash can go on with it. */
  #temporary(file: ManifestFile): string {
    return `${this.#options.folder}/${this.received.length}-${blobKey(file)}`;
  }

  #require(): Current {
    if (this.#current === undefined) throw new SlError('E_INTERNAL', 'a body came before its entry');
    return this.#current;
  }
}

function appendPlain(current: Plain, chunk: Buffer): void {
  current.hash.update(chunk);
  diskFullAs(current.file, () => {
    for (let done = 0; done < chunk.length; ) done += writeSync(current.descriptor, chunk, done);
  });
  current.length += chunk.length;
  current.writeBack.wrote(chunk.length);
}

async function closePlain({ writeBack, descriptor }: Plain): Promise<void> {
  try {
    await writeBack.end();
  } finally {
    closeSync(descriptor);
  }
}
