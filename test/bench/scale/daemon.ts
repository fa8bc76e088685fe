/** The controller's real daemon as a process of its own, and what the kernel counts of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { daemonCommand } from '../../../packages/controller/src/client/daemon-environment.ts';
import { type ControllerClient, daemonEntry, findController } from '../../../packages/controller/src/index.ts';
import type { Workspace } from './workspace.ts';

/** Clock ticks a second, in which the kernel gives the time of processes. */
const TICKS = 100;
const START = 60_000;

export interface Daemon {
  client: ControllerClient;
  port: number;
  /** Resident bytes: now, and the most since its start. */
  memory(): { now: number; peak: number };
  /** Seconds of CPU since its start. */
  cpu(): number;
  stop(): Promise<void>;
}

/** `profile`: a directory for V8's CPU profile of the whole run. */
export async function startDaemon({ env, directories }: Workspace, profile?: string): Promise<Daemon> {
  const profiling = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
  const log = await open(join(directories.state, 'controller.log'), 'a');
  const command = daemonCommand(daemonEntry(), env, directories);
  const child = spawn(process.execPath, [...profiling, ...command.args], {
    ...{ env: command.env, cwd: directories.state, stdio: ['ignore', log.fd, log.fd] },
  });
  await log.close();
  const { client, info } = await answering(child, directories.state);
  const { pid } = info;
  return {
    client,
    port: info.port,
    memory: () => ({ now: kilobytes(pid, 'VmRSS'), peak: kilobytes(pid, 'VmHWM') }),
    cpu: () => cpuSeconds(pid),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}

async function answering(child: ChildProcess, state: string) {
  const end = performance.now() + START;
  while (performance.now() < end && child.exitCode === null) {
    const found = await findController(state).catch(() => undefined);
    if (found !== undefined) return found;
    await sleep(50);
  }
  child.kill('SIGKILL');
  throw new Error(`the controller did not start: see ${state}/controller.log`);
}

function kilobytes(pid: number, field: string): number {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(found?.[1]) * 1024;
}

/** User and system time: fields 14 and 15, counted from behind the command's name. */
function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}
