import { exec } from '../exec.ts';

/** Brings everything written to the file system of `path` to disk. Node has no syncfs(2); coreutils' `sync -f` is it. */
export async function syncFileSystem(path: string): Promise<void> {
  await exec(['sync', '--file-system', '--', path], { deadline: 300_000 });
}
