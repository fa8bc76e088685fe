import type { ReleaseSource } from '../../ports.ts';
import type { Directories } from '../directories.ts';
import { ChunkCache } from './chunk-cache.ts';
import { createImages } from './image.ts';
import { locateIn } from './locate.ts';
import { createPacker } from './pack.ts';
import { scan } from './scan.ts';

/** The apps' files on this machine. Caches and archives on their way are kept below the cache directory. */
export function createReleaseSource(directories: Pick<Directories, 'cache'>): ReleaseSource {
  const chunks = new ChunkCache(`${directories.cache}/chunks`);
  return {
    scan: (app, signal) => scan(app, { stats: `${directories.cache}/stat`, chunks }, signal),
    chunks: (app, file, signal) => chunks.get(file.sha256, locateIn(app, file.path), signal),
    ...createPacker(`${directories.cache}/packs`),
    ...createImages(`${directories.cache}/packs`),
  };
}
