/**
 * A file system of its own for the nodes' disks and the apps: ext4 with a journal, as servers have, whatever this machine's
 * is and has been through. (Without a journal, ext4 creates files slowly for minutes after many were removed.)
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { exec } from '@silverlining/system';
import { hostCommand } from '../../packages/controller/src/io/host-packages.ts';

/** Sparse: it takes what is written to it. */
const SIZE = '100G';
const UNMOUNT_TRIES = 50;
const UNMOUNT_PAUSE = 200;

/** Makes it and mounts it at `point`, empty. */
export async function mountDisk(point: string): Promise<void> {
  const image = imageOf(point);
  await exec(['truncate', `--size=${SIZE}`, image]);
  await hostCommand(['mkfs.ext4', '-q', '-F', '-i', '32768', image], { deadline: 120_000 });
  await exec(['mkdir', '--parents', point]);
  // Inode tables are written when they are needed, not by a thread of the kernel while something is measured.
  await hostCommand(['mount', '-o', 'loop,noinit_itable,noatime', image, point]);
}

/** Gives this machine the space of what was removed; without it the image grows with every release that any tool makes. */
export async function trimDisk(point: string): Promise<void> {
  await hostCommand(['fstrim', point], { deadline: 300_000 });
}

/** Takes it away with all that is on it, if it is there. Nothing may run on it any more. */
export async function removeDisk(point: string): Promise<void> {
  for (let tries = 0; await isMounted(point); tries += 1) {
    const { exitCode, stderr } = await hostCommand(['umount', point], { allowExit: 'any' });
    if (exitCode === 0) continue;
    if (tries === UNMOUNT_TRIES) throw new Error(`${point} cannot be unmounted: ${stderr.trim()}`);
    await sleep(UNMOUNT_PAUSE);
  }
  await rm(imageOf(point), { force: true });
}

async function isMounted(point: string): Promise<boolean> {
  return (await exec(['mountpoint', '--quiet', point], { allowExit: 'any' })).exitCode === 0;
}

function imageOf(point: string): string {
  return join(point, '..', 'disk.img');
}
