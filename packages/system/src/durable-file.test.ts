import { once } from 'node:events';
import { watch } from 'node:fs';
import { mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  linkDurable,
  makeDirectoryDurable,
  readFileIfAny,
  removeTemporaries,
  removeTemporariesOf,
  writeFileDurable,
} from './durable-file.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sl-durable-'));
});
afterEach(() => rm(directory, { recursive: true }));

describe('durable files', () => {
  it('replace content and mode and leave no temporary file', async () => {
    const path = join(directory, 'state.json');
    await writeFileDurable(path, 'old', 0o644);
    await writeFileDurable(path, 'new');
    expect(await readFile(path, 'utf8')).toBe('new');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(directory)).toEqual(['state.json']);
  });

  it('leave nothing behind when they cannot replace', async () => {
    await makeDirectoryDurable(join(directory, 'a/b'));
    await expect(writeFileDurable(join(directory, 'a'), 'text')).rejects.toThrow('EISDIR');
    await expect(linkDurable(join(directory, 'a'), 'b')).rejects.toThrow('EISDIR');
    expect(await readdir(directory)).toEqual(['a']);
  });

  it('are links too, replaced in one step', async () => {
    const path = join(directory, 'current');
    await linkDurable(path, 'one');
    await linkDurable(path, 'two');
    expect(await readlink(path)).toBe('two');
    expect(await readdir(directory)).toEqual(['current']);
  });

  it('leave what can be removed when their writer was cut off', async () => {
    const watcher = watch(directory);
    const [, temporary] = await Promise.all([
      writeFileDurable(join(directory, 'state.json'), 'text'),
      once(watcher, 'change').then(([, name]) => String(name)),
    ]);
    watcher.close();
    expect(temporary).not.toBe('state.json');
    await writeFile(join(directory, temporary), 'te');
    const others = [temporary.replace('state', 'other'), 'state.json.dpkg-tmp'];
    for (const other of others) await writeFile(join(directory, other), 'te');
    for (const folder of [directory, join(directory, 'none')]) await removeTemporariesOf(join(folder, 'state.json'));
    expect((await readdir(directory)).sort()).toEqual([...others, 'state.json'].sort());
    for (const folder of [directory, join(directory, 'none')]) await removeTemporaries(folder);
    expect(await readdir(directory)).toEqual(['state.json']);
  });

  it('read as undefined when they are missing', async () => {
    expect(await readFileIfAny(join(directory, 'none'))).toBeUndefined();
    await expect(readFileIfAny(directory)).rejects.toThrow('EISDIR');
  });
});
