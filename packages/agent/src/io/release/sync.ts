import { statSync } from 'node:fs';
import { exec } from '@silverlining/system';

/**
 * Brings everything written to the file systems of the paths to disk. Node has no syncfs(2); coreutils' `sync -f` is
 * it. With thousands of files, links and folders this is one wait instead of one for each.
 */
export async function syncFileSystems(...paths: string[]): Promise<void> {
  // Each wait is one for the disk, also where there is nothing to write any more.
  const byDevice = new Map(paths.map((path) => [statSync(path).dev, path]));
  await exec(['sync', '--file-system', '--', ...byDevice.values()], { deadline: 300_000 });
}
