import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLI_INI } from '../../../test/builders/cli-home.ts';
import { findSetFile, setName } from './server-set.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sl-find-'));
  await mkdir(join(directory, 'a/b'), { recursive: true });
  await writeFile(join(directory, 'silver.ini'), '');
  await writeFile(join(directory, 'a/other.ini'), '');
});
afterEach(() => rm(directory, { recursive: true }));

const find = (cwd: string, file?: string, env: NodeJS.ProcessEnv = {}) =>
  findSetFile({
    globals: { file, yes: false, json: false, color: false, verbose: false },
    env,
    cwd: join(directory, cwd),
  });

it('the name of a set is known also where one of its apps is broken', async () => {
  const globals = { yes: false, json: false, color: false, verbose: false };
  const context = { globals, env: {}, cwd: directory };
  await writeFile(join(directory, 'silver.ini'), CLI_INI.replace('dir = blog', 'dir = a'));
  await writeFile(join(directory, 'a/app.ini'), '[production');
  expect(setName(context, undefined)).toBe('shop');
  await writeFile(join(directory, 'silver.ini'), '[general\nname = shop\n');
  expect(() => setName(context, undefined)).toThrow('problem');
});

describe('the server set file', () => {
  it('is silver.ini here or above', () => {
    expect(find('.')).toBe(join(directory, 'silver.ini'));
    expect(find('a/b')).toBe(join(directory, 'silver.ini'));
  });

  it('is what the option names, else what the environment names', () => {
    expect(find('a/b', '../other.ini', { SILVER_FILE: 'nothing' })).toBe(join(directory, 'a/other.ini'));
    expect(find('a', undefined, { SILVER_FILE: 'other.ini' })).toBe(join(directory, 'a/other.ini'));
    expect(find('a', undefined, { SILVER_FILE: '' })).toBe(join(directory, 'silver.ini'));
  });

  it('that is missing is an error that says which file', () => {
    expect(() => find('a', 'gone.ini')).toThrow(`there is no file ${join(directory, 'a/gone.ini')}`);
    expect(() => find('a', undefined, { SILVER_FILE: 'gone.ini' })).toThrow('(from $SILVER_FILE)');
    expect(() =>
      findSetFile({ globals: { yes: false, json: false, color: false, verbose: false }, env: {}, cwd: '/' }),
    ).toThrow('--file');
  });
});
