import { exec } from '@silverlining/system';

/**
 * Brings everything written to the file systems of the paths to disk. Node has no syncfs(2); coreutils' `sync -f` is
 * it. With thousands of files, links and folders this is one wait instead of one for each.
 */
export async function syncFileSystems(...paths: string[]): Promise<void> {
  await exec(['sync', '--file-system', '--', ...paths], { deadline: 300_000 });
}
