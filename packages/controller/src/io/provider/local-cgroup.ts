import { access, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SlError } from '@silverlining/protocol';
import { errno } from '@silverlining/system';

const PARENT = 'silverlining';
const KILL_DEADLINE_MS = 15_000;
const POLL_MS = 10;

/**
 * The control groups of one node (or helper process), made directly in the cgroup file system as Docker's `cgroupfs`
 * driver does, so that it works with and without systemd on the host. They are the truth about what runs: every process
 * of a node is in them, whoever started it and whatever became of the controller, and none can leave.
 */
export interface ControlGroups {
  /** Directories, the cgroup v2 one first; on hybrid hosts also that of systemd's own v1 hierarchy. */
  paths: readonly string[];
}

/** The groups of that name, whether they exist or not. */
export async function controlGroups(name: string): Promise<ControlGroups> {
  const roots = await hierarchies();
  return { paths: roots.map((root) => join(root, PARENT, name)) };
}

/** Makes the groups with a child each, `launcher`, for the process that starts the others: with controllers enabled only leaves may hold processes. */
export async function makeGroups(groups: ControlGroups): Promise<void> {
  for (const path of groups.paths) await mkdir(join(path, 'launcher'), { recursive: true });
  await enableControllers(groups);
}

/** Whether any process is in the groups. */
export async function isPopulated(groups: ControlGroups): Promise<boolean> {
  const events = await readFile(join(main(groups), 'cgroup.events'), 'utf8').catch(() => '');
  return events.includes('populated 1');
}

/**
 * Kills every process in the groups and removes them; throws SlError E_DEADLINE when one does not die. A launcher that a killed
 * controller started may join at any moment of this: so both are done until nothing is left. After that it finds no group, and ends.
 */
export async function destroyGroups(groups: ControlGroups): Promise<void> {
  const deadline = Date.now() + KILL_DEADLINE_MS;
  for (;;) {
    await killAll(main(groups));
    const removed = await Promise.allSettled(groups.paths.map(removeTree));
    const failure = removed.find((it) => it.status === 'rejected');
    if (failure === undefined) return;
    if (Date.now() > deadline) {
      throw new SlError('E_DEADLINE', `processes in ${main(groups)} cannot be killed`, { cause: failure.reason });
    }
    await sleep(POLL_MS);
  }
}

/** Removes the folder that all groups are in, if it is empty. */
export async function removeParentGroups(): Promise<void> {
  for (const root of await hierarchies()) await rmdir(join(root, PARENT)).catch(() => undefined);
}

function main(groups: ControlGroups): string {
  const [path] = groups.paths;
  if (path === undefined) throw new SlError('E_PROVIDER', 'local nodes need cgroup v2, which is not mounted here');
  return path;
}

async function hierarchies(): Promise<string[]> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  const mounted = (wanted: (type: string, options: string[]) => boolean) =>
    mounts.find(
      ([, point, type = '', options = '']) => point?.startsWith('/') && wanted(type, options.split(',')),
    )?.[1];
  const unified = mounted((type) => type === 'cgroup2');
  const named = mounted((type, options) => type === 'cgroup' && options.includes('name=systemd'));
  if (unified === undefined) throw new SlError('E_PROVIDER', 'local nodes need cgroup v2, which is not mounted here');
  return named === undefined ? [unified] : [unified, named];
}

/** Limits in units on the nodes need these; a controller that v1 holds cannot be had, and does no harm missing. */
async function enableControllers(groups: ControlGroups): Promise<void> {
  const parent = join(main(groups), '..');
  for (const controller of ['cpu', 'memory', 'pids', 'io']) {
    await writeFile(join(parent, 'cgroup.subtree_control'), `+${controller}`).catch(() => undefined);
  }
}

async function killAll(path: string): Promise<void> {
  try {
    await access(join(path, 'cgroup.kill'));
    await writeFile(join(path, 'cgroup.kill'), '1');
  } catch {
    await killEach(path);
  }
}

/** For kernels before 5.14, which have no `cgroup.kill`. Whoever forks meanwhile is met in the caller's next round. */
async function killEach(path: string): Promise<void> {
  const pids = await readFile(join(path, 'cgroup.procs'), 'utf8').catch(() => '');
  for (const pid of pids.split('\n').map(Number)) {
    if (pid > 0) killOne(pid);
  }
  for (const child of await childGroups(path)) await killEach(child);
}

function killOne(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

/** Fails with EBUSY while a process is in one of the groups, if only a dead one that is not gone yet. */
async function removeTree(path: string): Promise<void> {
  for (const child of await childGroups(path)) await removeTree(child);
  try {
    await rmdir(path);
  } catch (error) {
    if (errno(error) !== 'ENOENT') throw error;
  }
}

async function childGroups(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(path, entry.name));
}
