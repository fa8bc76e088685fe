/** Runs a tool in a control group of its own, so that what it costs is known however many processes it starts. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SlError } from '@silverlining/protocol';
import { exec } from '@silverlining/system';
import {
  type ControlGroups,
  controlGroups,
  destroyGroups,
  makeGroups,
} from '../../packages/controller/src/io/provider/local-cgroup.ts';
import type { Command } from './contender.ts';

/** Joins the groups, and writes into a file: connections that ssh keeps open would hold a pipe for ever. */
const JOIN = `
for group in $1; do echo 0 > "$group/launcher/cgroup.procs"; done
log=$2
shift 2
exec "$@" > "$log" 2> "$log.err" < /dev/null
`;
const DEADLINE = 20 * 60_000;
const PAGE = 4096;

export class ToolGroup {
  readonly #groups: ControlGroups;
  readonly #log: string;

  private constructor(groups: ControlGroups, log: string) {
    this.#groups = groups;
    this.#log = log;
  }

  /** The group, empty: what a run before this one left in it is killed. */
  static async make(name: string, logs: string): Promise<ToolGroup> {
    const group = new ToolGroup(await controlGroups(`bench-${name}`), join(logs, `${name}.log`));
    await mkdir(logs, { recursive: true });
    await group.clear();
    return group;
  }

  /** Kills all that runs in it. */
  async clear(): Promise<void> {
    await destroyGroups(this.#groups);
    await makeGroups(this.#groups);
  }

  /** Runs a command to its end and returns its standard output; its failure shows the last lines of it. */
  async run({ argv, cwd, env }: Command, signal: AbortSignal): Promise<string> {
    const wrapped = ['sh', '-c', JOIN, 'bench', this.#groups.paths.join(' '), this.#log, ...argv];
    const options = { signal, deadline: DEADLINE, cwd, env: { ...process.env, ...env } };
    const { exitCode } = await exec(wrapped, { ...options, allowExit: 'any' });
    const stdout = await readFile(this.#log, 'utf8');
    if (exitCode === 0) return stdout;
    const log = `${stdout}\n${await readFile(`${this.#log}.err`, 'utf8')}`.trim().split('\n').slice(-40).join('\n');
    throw new SlError('E_INTERNAL', `${argv.join(' ')} failed with exit status ${exitCode}:\n${log}`);
  }

  /** Seconds of CPU time of everything that ever ran in it. */
  cpu(): Promise<number> {
    return cpuOf(this.#groups);
  }

  /** Bytes of resident memory of all that runs in it, each process counted whole. */
  async memory(): Promise<number> {
    const pids = await this.pids();
    const sizes = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/statm`, 'utf8').catch(() => '')));
    return sizes.reduce((sum, it) => sum + Number(it.split(' ')[1] ?? 0) * PAGE, 0);
  }

  async pids(): Promise<number[]> {
    const [group = ''] = this.#groups.paths;
    return pidsIn(join(group, 'launcher'));
  }

  destroy(): Promise<void> {
    return destroyGroups(this.#groups);
  }
}

export async function pidsIn(group: string): Promise<number[]> {
  const text = await readFile(join(group, 'cgroup.procs'), 'utf8').catch(() => '');
  return text.split('\n').filter(Boolean).map(Number);
}

/** Seconds of CPU time of all that ever ran in the groups. */
export async function cpuOf(groups: ControlGroups): Promise<number> {
  const [group = ''] = groups.paths;
  const text = await readFile(join(group, 'cpu.stat'), 'utf8');
  return Number(/^usage_usec (\d+)$/m.exec(text)?.[1] ?? 0) / 1e6;
}
