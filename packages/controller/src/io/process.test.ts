import { describe, expect, it } from 'vitest';
import { run } from './process.ts';

describe('run', () => {
  it('returns what the command wrote, given its input', async () => {
    const lines: string[] = [];
    const result = await run(['cat'], { input: 'one\ntwo', onLine: (line) => lines.push(line) });
    expect(result).toEqual({ stdout: 'one\ntwo', stderr: '', exitCode: 0 });
    expect(lines).toEqual(['one', 'two']);
  });

  it('throws the given code with the last output of a command that fails', async () => {
    const failing = run(['sh', '-c', 'echo before; echo broken >&2; exit 3'], { code: 'E_PROVIDER' });
    await expect(failing).rejects.toMatchObject({
      code: 'E_PROVIDER',
      message: expect.stringContaining('exit status 3: broken'),
      details: { log: ['before', 'broken'] },
    });
  });

  it('returns statuses that are allowed', async () => {
    expect(await run(['sh', '-c', 'exit 3'], { allowExit: [3] })).toMatchObject({ exitCode: 3 });
  });

  it('says when a command is not installed', async () => {
    await expect(run(['no-such-command-here'], { code: 'E_SSH' })).rejects.toMatchObject({
      code: 'E_SSH',
      message: 'no-such-command-here could not be started: it is not installed, or not on the PATH',
    });
  });

  it('stops the whole process group at the deadline', async () => {
    // `wait` returns only when the grandchild is gone, and the pipe closes only when both are.
    const slow = run(['sh', '-c', 'sleep 600 & wait'], { timeoutMs: 50 });
    await expect(slow).rejects.toMatchObject({ code: 'E_DEADLINE' });
  });

  it('stops when it is cancelled, before or after the start', async () => {
    await expect(run(['true'], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'E_ABORTED' });
    const controller = new AbortController();
    const running = run(['sleep', '600'], { signal: controller.signal });
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: 'E_ABORTED' });
  });
});
