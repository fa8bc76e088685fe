/** The processes of a run of the end-to-end tests: whatever was started by it, however long ago, and for however long. */
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** In the environment of all of them: a controller keeps `SL_*` of who started it. */
const MARK = 'SL_E2E_RUN';
/** Milliseconds to end by themselves. */
const PATIENCE = 10_000;
const POLL = 50;

/** From here on what this process starts belongs to the run. */
export function markProcesses(run: string): void {
  process.env[MARK] = run;
}

/**
 * Ends all of them: a test's worker that lives on starts one controller after the other. When it resolves there is nobody
 * left who could start anything. What runs on nodes is not meant.
 */
export async function endProcesses(run: string): Promise<void> {
  const asked = new Set<number>();
  const patience = performance.now() + PATIENCE;
  for (;;) {
    const pids = await processesOf(run);
    if (pids.length === 0) return;
    if (performance.now() > 2 * PATIENCE + patience) throw new Error(`processes ${pids.join(', ')} cannot be ended`);
    for (const pid of pids) {
      if (performance.now() > patience) signal(pid, 'SIGKILL');
      else if (!asked.has(pid)) signal(pid, 'SIGTERM');
      asked.add(pid);
    }
    await sleep(POLL);
  }
}

/** A process that ended and was not waited for has no environment any more. */
async function processesOf(run: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const marked = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      return environment.split('\0').includes(`${MARK}=${run}`);
    }),
  );
  return pids.filter((pid, i) => marked[i] && pid !== process.pid);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has just ended.
  }
}
