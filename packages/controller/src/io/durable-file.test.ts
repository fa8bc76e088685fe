import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findDirectories, makeDirectories } from './directories.ts';
import { makeDirectoryDurable, writeFileDurable } from './durable-file.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sl-durable-'));
});
afterEach(() => rm(directory, { recursive: true }));

describe('writeFileDurable', () => {
  it('replaces the content and mode and leaves no temporary file', async () => {
    const path = join(directory, 'state.json');
    await writeFileDurable(path, 'old', 0o644);
    await writeFileDurable(path, 'new');
    expect(await readFile(path, 'utf8')).toBe('new');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(directory)).toEqual(['state.json']);
  });

  it('leaves nothing behind when it cannot replace the file', async () => {
    await makeDirectoryDurable(join(directory, 'a/b'));
    await expect(writeFileDurable(join(directory, 'a'), 'text')).rejects.toThrow('EISDIR');
    expect(await readdir(directory)).toEqual(['a']);
  });
});

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
