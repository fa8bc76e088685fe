import type { ReleaseSource } from '../../ports.ts';
import type { Directories } from '../directories.ts';
import { createPacker } from './pack.ts';
import { scan } from './scan.ts';

/** The apps' files on this machine. Stat caches and archives on their way are kept below the cache directory. */
export function createReleaseSource(directories: Pick<Directories, 'cache'>): ReleaseSource {
  return {
    scan: (app, signal) => scan(app, `${directories.cache}/stat`, signal),
    pack: createPacker(`${directories.cache}/packs`),
  };
}
