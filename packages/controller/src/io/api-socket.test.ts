import { chmod, mkdir, mkdtemp, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { apiSocketPath, hasSocketDirectory, makeSocketDirectory } from './api-socket.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sl-socket-'));
});
afterEach(() => rm(directory, { recursive: true }));

describe('the path of the API’s socket', () => {
  it('is in the state directory when it fits into sun_path', () => {
    const longest = `/${'d'.repeat(107 - '//controller.sock'.length)}`;
    expect(apiSocketPath(longest)).toBe(`${longest}/controller.sock`);
    expect(Buffer.byteLength(apiSocketPath(longest))).toBe(107);
  });

  it('is a hash in the runtime directory when it does not', () => {
    const long = `/${'d'.repeat(108 - '//controller.sock'.length)}`;
    const path = apiSocketPath(long, { XDG_RUNTIME_DIR: '/run/user/1000' });
    expect(path).toMatch(/^\/run\/user\/1000\/silverlining-\d+\/[0-9a-f]{24}\.sock$/);
    expect(apiSocketPath(`${long}x`, { XDG_RUNTIME_DIR: '/run/user/1000' })).not.toBe(path);
  });

  it('is of the user who runs it, for whom the machine need not have a name', () => {
    const getuid = vi.spyOn(process, 'getuid').mockReturnValue(54_321);
    onTestFinished(() => getuid.mockRestore());
    expect(apiSocketPath('/'.padEnd(108, 'd'), { XDG_RUNTIME_DIR: '/run' })).toContain('/run/silverlining-54321/');
  });
});

describe('the folder of the socket', () => {
  it('is made private, also where it existed with more', async () => {
    const path = join(directory, 'a', 'x.sock');
    await makeSocketDirectory(path);
    await chmod(join(directory, 'a'), 0o777);
    await makeSocketDirectory(path);
    expect((await stat(join(directory, 'a'))).mode & 0o777).toBe(0o700);
  });

  it('is refused when it is a link, which someone else may have put there', async () => {
    await mkdir(join(directory, 'theirs'));
    await symlink(join(directory, 'theirs'), join(directory, 'link'));
    const path = join(directory, 'link', 'x.sock');
    await expect(makeSocketDirectory(path)).rejects.toMatchObject({ code: 'E_CONTROLLER' });
    await expect(hasSocketDirectory(path)).rejects.toMatchObject({ code: 'E_CONTROLLER' });
  });

  it('may be a link when it is the state directory, which was moved to another disk', async () => {
    await mkdir(join(directory, 'disk'));
    await symlink(join(directory, 'disk'), join(directory, 'state'));
    await makeSocketDirectory(join(directory, 'state', 'controller.sock'));
    expect(await hasSocketDirectory(join(directory, 'state', 'controller.sock'))).toBe(true);
  });

  it('is believed by a client when nobody else can have made the socket in it', async () => {
    const path = join(directory, 'a', 'x.sock');
    expect(await hasSocketDirectory(path)).toBe(false);
    await makeSocketDirectory(path);
    expect(await hasSocketDirectory(path)).toBe(true);
    for (const mode of [0o720, 0o702]) {
      await chmod(join(directory, 'a'), mode);
      await expect(hasSocketDirectory(path)).rejects.toMatchObject({ code: 'E_CONTROLLER' });
    }
    await chmod(join(directory, 'a'), 0o700);
    const getuid = vi.spyOn(process, 'getuid').mockReturnValue(54_321);
    onTestFinished(() => getuid.mockRestore());
    await expect(hasSocketDirectory(path)).rejects.toMatchObject({ code: 'E_CONTROLLER' });
  });
});
