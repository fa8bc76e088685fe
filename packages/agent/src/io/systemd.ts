import { randomUUID } from 'node:crypto';
import { SlError, toSlError } from '@silverlining/protocol';
import { type ExecOptions, type ExecResult, exec, exists, logOf } from '@silverlining/system';
import { parseUnits, showUnitsArgv, type UnitState } from '../core/converge/unit-state.ts';

/** Milliseconds: a unit may take systemd's own 90 s to start and as long to stop. */
const UNIT_DEADLINE = 200_000;
const JOURNAL_LINES = '15';

/** The states of any number of units by one process; none for no names. */
export async function showUnits(names: readonly string[], signal?: AbortSignal): Promise<Map<string, UnitState>> {
  if (names.length === 0) return new Map();
  const { stdout } = await exec(showUnitsArgv(names), { signal, allowExit: 'any', deadline: 20_000 });
  return parseUnits(stdout, names);
}

/** Whether the unit has said that it loads its configuration anew; false where that cannot be known. */
export async function isReloading(name: string): Promise<boolean> {
  const units = await showUnits([name]).catch(() => undefined);
  return units?.get(name)?.active === 'reloading';
}

export async function daemonReload(signal?: AbortSignal): Promise<void> {
  await exec(['systemctl', 'daemon-reload'], { signal, code: 'E_RESOURCE', deadline: UNIT_DEADLINE });
}

/** `systemctl ACTION UNIT`, waiting for its end; the error carries the unit's last journal lines. */
export async function unitAction(
  action: 'enable' | 'disable' | 'start' | 'stop' | 'restart' | 'reload',
  unit: string,
  signal?: AbortSignal,
): Promise<void> {
  const verb = action === 'reload' ? 'reload-or-restart' : action;
  try {
    await exec(['systemctl', verb, '--', unit], { signal, code: 'E_RESOURCE', deadline: UNIT_DEADLINE });
  } catch (cause) {
    const error = toSlError(cause);
    if (error.code !== 'E_RESOURCE') throw error;
    const log = await unitJournal(unit);
    throw new SlError('E_RESOURCE', `${unit} did not ${action}`, {
      cause,
      details: { log: log.length > 0 ? log : (error.details.log ?? []) },
    });
  }
}

/** The unit's last journal lines; empty where they cannot be had. */
async function unitJournal(unit: string): Promise<string[]> {
  const argv = ['journalctl', '--quiet', '--no-pager', '--output=cat', `--lines=${JOURNAL_LINES}`, `--unit=${unit}`];
  try {
    return logOf(await exec(argv, { deadline: 10_000 }));
  } catch {
    return [];
  }
}

/** Commands that run apart, also those that nobody waits for any more. */
const apart = new Set<Promise<unknown>>();

/** Resolves when none of the commands runs that this process started with `execApart`. */
export async function untilNoneApart(): Promise<void> {
  while (apart.size > 0) await Promise.allSettled(apart);
}

/**
 * Runs a command as a service of its own, under systemd instead of under this agent: outside of the agent's sandbox and
 * memory limit, and untouched when the agent is restarted. Where there is no bus to ask systemd over, it runs as a child.
 * Cancelling ends the waiting and not the command: a package manager must not be cut off, nor be left with nobody who reads what it
 * writes. A deadline ends both.
 */
export async function execApart(
  argv: readonly string[],
  options: ExecOptions & { env: Record<string, string> },
  bus = '/run/dbus/system_bus_socket',
): Promise<ExecResult> {
  if (!(await exists(bus))) return exec(argv, options);
  const { env, signal, onLine, ...rest } = options;
  if (signal?.aborted) throw abandoned(signal);
  const unit = `silver-task-${randomUUID()}.service`;
  const setenv = Object.entries(env).map(([name, value]) => `--setenv=${name}=${value}`);
  const runner = ['systemd-run', '--quiet', '--pipe', '--wait', '--collect', `--unit=${unit}`];
  const tell = (line: string) => {
    if (signal?.aborted !== true) onLine?.(line);
  };
  const work = exec([...runner, ...setenv, '--', ...argv], { ...rest, onLine: tell }).catch(async (error: unknown) => {
    if (toSlError(error).code === 'E_DEADLINE') {
      await exec(['systemctl', 'stop', '--', unit], { allowExit: 'any', deadline: UNIT_DEADLINE });
    }
    throw error;
  });
  apart.add(work);
  work.catch(() => undefined).finally(() => apart.delete(work));
  return untilAborted(work, signal);
}

/**
 * What starts a command in a scope of its own: like any child of this process, but outside of the agent's memory limit, and killed as
 * early as others where memory is short. As it is where no systemd can be asked.
 */
export async function inScope(argv: readonly string[], manager = '/run/systemd/private'): Promise<string[]> {
  if (!(await exists(manager))) return [...argv];
  const runner = ['systemd-run', '--scope', '--quiet', '--collect', `--unit=silver-task-${randomUUID()}.scope`];
  return [...runner, '--', 'choom', '--adjust=0', '--', ...argv];
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(abandoned(signal));
    signal?.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal?.removeEventListener('abort', abort));
  });
}

function abandoned(signal: AbortSignal | undefined): SlError {
  return new SlError('E_ABORTED', 'waiting for a command that goes on was cancelled', { cause: signal?.reason });
}

/** Runs a command once, so many milliseconds from now, as a service of its own; whoever asks for it may be gone by then. */
export async function execLater(argv: readonly string[], ms: number): Promise<void> {
  const when = [`--on-active=${ms}ms`, '--timer-property=AccuracySec=1s'];
  const unit = `--unit=silver-task-${randomUUID()}`;
  await exec(['systemd-run', '--quiet', '--collect', ...when, unit, '--', ...argv], { deadline: UNIT_DEADLINE });
}
