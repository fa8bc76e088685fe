import type { SlError } from '@silverlining/protocol';
import { describe, expect, it } from 'vitest';
import { exec } from './exec.ts';

describe('exec', () => {
  it('returns what the command wrote, given its input', async () => {
    const lines: string[] = [];
    const result = await exec(['cat'], { input: 'one\ntwo', onLine: (line) => lines.push(line) });
    expect(result).toEqual({ stdout: 'one\ntwo', stderr: '', exitCode: 0 });
    expect(lines).toEqual(['one', 'two']);
  });

  it('keeps the newest output up to its cap', async () => {
    const result = await exec(['printf', '0123456789'], { maxOutput: 4 });
    expect(result.stdout).toBe('6789');
  });

  it('throws the given code with the last output of a command that fails', async () => {
    const failing = exec(['sh', '-c', 'echo before; echo broken >&2; exit 3'], { code: 'E_RESOURCE' });
    await expect(failing).rejects.toMatchObject({
      code: 'E_RESOURCE',
      message: expect.stringContaining('exit status 3: broken'),
      details: { log: ['before', 'broken'] },
    });
  });

  it('says no more of a command that fails than has room in a message', async () => {
    const failing = exec(['sh', '-c', 'head -c 300000 /dev/zero | tr "\\0" x; exit 3']);
    const { message, details } = (await failing.catch((it: SlError) => it)) as SlError;
    expect(message).toMatch(/exit status 3: x+$/);
    expect(message.length + JSON.stringify(details).length).toBeLessThan(32 << 10);
  });

  it('returns statuses that are allowed', async () => {
    expect(await exec(['sh', '-c', 'exit 3'], { allowExit: [3] })).toMatchObject({ exitCode: 3 });
    expect(await exec(['sh', '-c', 'exit 4'], { allowExit: 'any' })).toMatchObject({ exitCode: 4 });
  });

  it('says when a command is not installed', async () => {
    await expect(exec(['no-such-command-here'])).rejects.toMatchObject({
      message: 'no-such-command-here could not be started: it is not installed, or not on the PATH',
    });
  });

  it('stops the whole process group at the deadline', async () => {
    // The pipe closes only when the grandchild is gone too.
    const slow = exec(['sh', '-c', 'sleep 600 & wait'], { deadline: 50 });
    await expect(slow).rejects.toMatchObject({ code: 'E_DEADLINE' });
  });

  it('does not wait for what left the group with its pipes', async () => {
    const controller = new AbortController();
    const pids: number[] = [];
    const slow = exec(['sh', '-c', `setsid sh -c 'echo $$; exec sleep 600' & wait`], {
      signal: controller.signal,
      grace: 50,
      onLine: (line) => {
        pids.push(Number(line));
        controller.abort();
      },
    });
    await expect(slow).rejects.toMatchObject({ code: 'E_ABORTED' });
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    expect(pids).toHaveLength(1);
  });

  it('does not wait for what a command that has ended left running with its pipes', async () => {
    const { stdout, exitCode } = await exec(['sh', '-c', 'sleep 600 & echo $!']);
    process.kill(Number(stdout), 'SIGKILL');
    expect(exitCode).toBe(0);
  });

  it('stops when it is cancelled, before or after the start', async () => {
    await expect(exec(['true'], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'E_ABORTED' });
    const controller = new AbortController();
    const running = exec(['sleep', '600'], { signal: controller.signal });
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: 'E_ABORTED' });
  });
});
