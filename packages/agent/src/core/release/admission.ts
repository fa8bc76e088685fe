/** What of a release archive is let in: regular files that the manifest lists and that are missing, each once. */
import { type ErrorCode, type ManifestFile, SlError } from '@silverlining/protocol';
import type { Listing } from './listing.ts';

/** A tar header as it came, before anything of it is trusted. */
export interface TarHeader {
  path: string;
  /** Name of the type, as tar 7 has it: `File`, `OldFile`, `SymbolicLink`, ... */
  type: string;
  mode: number;
  size: number;
}

const BLOCK = 512;
/** A header, and an extended header with a path of 1024 characters of up to 4 bytes each. */
const ENTRY_OVERHEAD = BLOCK + BLOCK + 4096 + BLOCK;
/** End-of-archive blocks, padded to tar's record of 20 blocks. */
const ARCHIVE_OVERHEAD = 20 * BLOCK;

/** Admits the headers of one archive. */
export class Admission {
  readonly #listing: Listing;
  readonly #waiting: Map<string, ManifestFile>;
  readonly #bodies: ReadonlyMap<string, number>;
  /** Uncompressed bytes that the archive may have; anything longer is a bomb. */
  readonly maxBytes: number;

  /**
   * `listing` is of the whole release, `missing` what the archive is to hold. `bodies` has the bytes that come of files of
   * which only a part is sent, by path.
   */
  constructor(listing: Listing, missing: readonly ManifestFile[], bodies: ReadonlyMap<string, number> = new Map()) {
    this.#bodies = bodies;
    this.#listing = listing;
    this.#waiting = new Map(missing.map((file) => [file.path, file]));
    const blocks = (file: ManifestFile) => Math.ceil(this.#bytesOf(file) / BLOCK) * BLOCK;
    this.maxBytes = missing.reduce((sum, file) => sum + blocks(file) + ENTRY_OVERHEAD, ARCHIVE_OVERHEAD);
  }

  /** The manifest's file for a header. Throws E_TAR_ENTRY or E_MANIFEST that names the entry. */
  admit(header: TarHeader): ManifestFile {
    const file = this.#waiting.get(header.path) ?? this.#listing.find(header.path);
    const reason = forbidden(header, file !== undefined);
    if (reason !== undefined)
      throw refusal('E_TAR_ENTRY', `release archive: entry ${nameOf(header)} ${reason}`, header.path);
    if (file === undefined) {
      throw refusal('E_MANIFEST', `${nameOf(header)} is in the archive, not in the manifest`, header.path);
    }
    if (header.size !== this.#bytesOf(file)) {
      const wanted = this.#bodies.has(file.path) ? 'were asked for' : 'in the manifest';
      const sizes = `${header.size} bytes in the archive, ${this.#bytesOf(file)} ${wanted}`;
      throw refusal('E_MANIFEST', `${nameOf(header)} has ${sizes}`, header.path);
    }
    if (!this.#waiting.delete(header.path)) {
      const twice = `release archive: entry ${nameOf(header)} comes twice or was not asked for`;
      throw refusal('E_TAR_ENTRY', twice, header.path);
    }
    return file;
  }

  #bytesOf(file: ManifestFile): number {
    return this.#bodies.get(file.path) ?? file.size;
  }

  /** At the end of the archive. Throws E_TAR_TRUNCATED when files are still missing. */
  finish(): void {
    const [first] = this.#waiting.keys();
    if (first === undefined) return;
    const missing = `${this.#waiting.size} files are missing, ${JSON.stringify(first)} first`;
    throw refusal('E_TAR_TRUNCATED', `release archive ended early: ${missing}`, first);
  }
}

function refusal(code: ErrorCode, message: string, entry: string): SlError {
  return new SlError(code, message, { details: { entry } });
}

function nameOf({ path }: TarHeader): string {
  return JSON.stringify(path);
}

/** A manifest lists no path that is forbidden (`checkManifest`), so those that it does not list are looked at alone. */
function forbidden({ path, type, mode }: TarHeader, isListed: boolean): string | undefined {
  if (type !== 'File' && type !== 'OldFile') return `is a ${type}; only regular files are allowed`;
  if ((mode & 0o7000) !== 0) return `has mode ${mode.toString(8)}; setuid, setgid and sticky bits are not allowed`;
  if (isListed) return undefined;
  if (path.startsWith('/')) return 'is an absolute path';
  if (path.split('/').includes('..')) return 'leads out of the release';
  if (/[\\\p{Cc}]/u.test(path)) return 'has a backslash or a control character in its name';
  return undefined;
}
