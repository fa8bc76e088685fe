import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
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
});
