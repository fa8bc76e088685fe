import { existsSync, readlinkSync } from 'node:fs';
import { instanceName, instanceUnit } from '@silverlining/protocol';
import {
  errno,
  exec,
  mkdir,
  newestLines,
  readdir,
  readFileIfAny,
  readlink,
  rename,
  rm,
  symlink,
  syncPath,
  writeFile,
} from '@silverlining/system';
import { parseUnitStatus, STATUS_PROPERTIES, type UnitStatus } from '../../core/release/unit-status.ts';
import type { InstanceUnits } from '../../release-ports.ts';

/** Longer than the unit's own TimeoutStopSec, after which systemd kills what is left. */
const STOP_DEADLINE = 60_000;
/** systemd has a link for each unit that runs, named after it, with the id of that run as its target. */
const RUNS = '/run/systemd/units/invocation:';

/** Units of instances through systemctl; their files in `folder` (`/etc/systemd/system`). */
export function createInstanceUnits(folder: string): InstanceUnits {
  const wants = `${folder}/multi-user.target.wants`;
  const fileOf = (instance: string) => `${folder}/${instanceUnit(instance)}`;
  const newOf = (instance: string) => `${fileOf(instance)}.new`;
  const isThere = (it: string) => existsSync(fileOf(it)) || existsSync(newOf(it)) || currentRun(it) !== undefined;

  return {
    reload,
    install: async (instance, text) => {
      const before = await readFileIfAny(fileOf(instance));
      if (before === text) return;
      await writeFile(newOf(instance), text, { mode: 0o644 });
      await rename(newOf(instance), fileOf(instance));
      // systemd reads a unit that it has never seen by itself; one that it knows only when it is told.
      if (before !== undefined) await reload();
    },
    start: async (instance, signal) => {
      await exec(['systemctl', 'start', '--', instanceUnit(instance)], { signal, code: 'E_APP_CRASHED' });
    },
    stop: async (instances, { remove }) => {
      // Static apps have none; the files are the last of a unit that goes.
      const there = instances.filter(isThere);
      if (there.length === 0) return;
      const names = there.map(instanceUnit);
      // 5: a unit that does not exist, which is what a stopped and removed one is.
      await exec(['systemctl', 'stop', '--', ...names], { deadline: STOP_DEADLINE, allowExit: [5] });
      if (!remove) return;
      // Units that failed stay in systemd's memory until somebody says that it is known.
      await exec(['systemctl', 'reset-failed', '--', ...names], { allowExit: 'any' });
      for (const instance of there) {
        for (const path of [`${wants}/${instanceUnit(instance)}`, fileOf(instance), newOf(instance)])
          await rm(path, { force: true });
      }
    },
    status,
    currentRun,
    enableOnly: (instances) => enableOnly(wants, instances),
    log: readLog,
    installed: async () => instancesIn(await readdir(folder)),
  };
}

async function reload(): Promise<void> {
  await exec(['systemctl', 'daemon-reload']);
}

async function status(instances: readonly string[]): Promise<Map<string, UnitStatus>> {
  if (instances.length === 0) return new Map();
  const names = instances.map(instanceUnit);
  const { stdout } = await exec(['systemctl', 'show', '--property', STATUS_PROPERTIES.join(','), '--', ...names]);
  const blocks = stdout.trim().split('\n\n');
  return new Map(instances.map((instance, i) => [instance, parseUnitStatus(blocks[i] ?? '')]));
}

function currentRun(instance: string): string | undefined {
  try {
    return readlinkSync(`${RUNS}${instanceUnit(instance)}`);
  } catch (error) {
    if (errno(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** What `systemctl enable` does for a unit wanted by multi-user.target, without a process for each. */
async function enableOnly(wants: string, instances: ReadonlySet<string>): Promise<void> {
  await mkdir(wants, { recursive: true });
  const enabled = new Set(instancesIn(await readdir(wants)));
  const missing = [...instances].filter((instance) => !enabled.has(instance));
  const extra = [...enabled].filter((instance) => !instances.has(instance));
  for (const instance of missing)
    await linkQuietly(`../${instanceUnit(instance)}`, `${wants}/${instanceUnit(instance)}`);
  for (const instance of extra) await rm(`${wants}/${instanceUnit(instance)}`, { force: true });
  if (missing.length + extra.length > 0) await syncPath(wants);
}

async function linkQuietly(target: string, path: string): Promise<void> {
  try {
    await symlink(target, path);
  } catch (error) {
    if (errno(error) !== 'EEXIST' || (await readlink(path)) !== target) throw error;
  }
}

/** Those that were only half written too. */
function instancesIn(names: readonly string[]): string[] {
  const instances = names.map((name) => /^silver-app-(.+)\.service(?:\.new)?$/.exec(name)?.[1] ?? '');
  return [...new Set(instances)].filter((name) => instanceName.safeParse(name).success);
}

async function readLog(instance: string, lines: number, bytes?: number): Promise<string[]> {
  // A line written just before a crash may still be on its way to the journal.
  await exec(['journalctl', '--sync'], { deadline: 5_000, allowExit: 'any' });
  const unit = instanceUnit(instance);
  const own = await readJournal(`_SYSTEMD_UNIT=${unit}`, lines);
  // An app that wrote nothing: then what systemd says of it is all there is.
  return newestLines(own.length > 0 ? own : await readJournal(`--unit=${unit}`, lines), bytes);
}

async function readJournal(match: string, lines: number): Promise<string[]> {
  const argv = ['journalctl', '--quiet', '--no-pager', '--output=cat', `--lines=${lines}`, match];
  const { stdout } = await exec(argv, { deadline: 10_000, allowExit: 'any' });
  return stdout.split('\n').filter((line) => line !== '');
}
