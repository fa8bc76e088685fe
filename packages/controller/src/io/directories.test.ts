import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { findDirectories, makeDirectories } from './directories.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sl-durable-'));
});
afterEach(() => rm(directory, { recursive: true }));

describe('directories', () => {
  it('follow XDG, and ignore relative values as it says', () => {
    const env = { HOME: '/home/ada', XDG_STATE_HOME: '/var/ada', XDG_CACHE_HOME: 'relative' };
    expect(findDirectories(env)).toEqual({
      state: '/var/ada/silverlining',
      cache: '/home/ada/.cache/silverlining',
    });
  });

  it('are made with the state private', async () => {
    const directories = { state: join(directory, 's'), cache: join(directory, 'c') };
    await makeDirectories(directories);
    expect((await stat(directories.state)).mode & 0o777).toBe(0o700);
  });

  it('may have the state behind a link', async () => {
    await mkdir(join(directory, 'disk'));
    await symlink(join(directory, 'disk'), join(directory, 's'));
    await makeDirectories({ state: join(directory, 's'), cache: join(directory, 'c') });
    expect((await stat(join(directory, 'disk'))).mode & 0o777).toBe(0o700);
  });

  it('that cannot be made are named, with the variable that moves them', async () => {
    await writeFile(join(directory, 'file'), '');
    const [good, bad] = [join(directory, 'good'), join(directory, 'file/silverlining')];
    for (const [directories, variable] of [
      [{ state: bad, cache: good }, 'XDG_STATE_HOME'],
      [{ state: good, cache: bad }, 'XDG_CACHE_HOME'],
    ] as const) {
      const said = expect.stringMatching(new RegExp(`${bad} cannot be written.*${variable}`));
      await expect(makeDirectories(directories)).rejects.toMatchObject({ code: 'E_CONTROLLER', message: said });
    }
  });

  it('are refused when the state is another user’s', async () => {
    const getuid = vi.spyOn(process, 'getuid').mockReturnValue(54_321);
    onTestFinished(() => getuid.mockRestore());
    const refused = makeDirectories({ state: join(directory, 's'), cache: join(directory, 'c') });
    await expect(refused).rejects.toMatchObject({ code: 'E_CONTROLLER', message: expect.stringContaining('uid') });
  });
});
