/** A disk whose plug is pulled. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { hostCommand } from '../../../packages/controller/src/io/host-packages.ts';

/** Where all of it is, beside what a test wants. */
export let folder: string;
/** Where its file system is mounted, and where that is seen as it was when the power was cut. */
export let disk: string;
export let after: string;

/** A file system of its own for the tests of a block, each of which cuts the power last. `options` are those of `mkfs.ext4`. */
export function useDisk(options: readonly string[]): void {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sl-power-'));
    [disk, after] = [join(folder, 'disk'), join(folder, 'after')];
    await Promise.all([disk, after].map((path) => mkdir(path)));
    await hostCommand(['truncate', '--size', '64M', `${folder}/image`]);
    await hostCommand(['mkfs.ext4', '-q', ...options, `${folder}/image`]);
    await hostCommand(['mount', '-o', 'loop', `${folder}/image`, disk]);
  });
  afterEach(() => hostCommand(['umount', after]));
  afterAll(async () => {
    await hostCommand(['umount', disk]);
    await rm(folder, { recursive: true });
  });
}

/** Copies what the disk has, and mounts the copy as a machine would that is switched on again. */
export async function cutPower(): Promise<void> {
  await hostCommand(['cp', `${folder}/image`, `${folder}/copy`]);
  await hostCommand(['mount', '-o', 'loop', `${folder}/copy`, after]);
}
