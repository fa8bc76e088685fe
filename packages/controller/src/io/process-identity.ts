import { readFileSync } from 'node:fs';

/** A process as it is told apart from a later one that got the same pid. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks since boot at its start, and the boot's id; empty where /proc does not say. */
  started: string;
}

/** The identity of a running process; undefined when there is none, or one that ended and was not waited for. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const started = exists(pid) ? startOf(pid) : undefined;
  return started === undefined ? undefined : { pid, started };
}

export function isRunning(it: ProcessIdentity): boolean {
  return identifyProcess(it.pid)?.started === it.started;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it exists, and is someone else's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function startOf(pid: number): string | undefined {
  try {
    // The second field is the command in parentheses, which may hold anything; starttime is field 22 of proc(5).
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return undefined;
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${fields[19]}`;
  } catch {
    return '';
  }
}
