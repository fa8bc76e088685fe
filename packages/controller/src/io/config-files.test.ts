import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryConfigFiles } from '../../../../test/fakes/memory-config-files.ts';
import type { ConfigFiles } from '../core/config/index.ts';
import { createConfigFiles, readServerSet } from './config-files.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'silver-config-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function onDisk(texts: Record<string, string>): ConfigFiles {
  for (const [path, text] of Object.entries(texts)) writeFileSync(path, text);
  return createConfigFiles();
}

describe.each([
  ['real', onDisk],
  ['fake', memoryConfigFiles],
])('%s config files', (_, make) => {
  it('reads text, a byte order mark included', () => {
    const path = join(folder, 'a.ini');
    expect(make({ [path]: '\uFEFF[a]\nk = é\n' }).readFile(path)).toEqual({ kind: 'text', text: '\uFEFF[a]\nk = é\n' });
  });

  it('tells what is missing from what is no file', () => {
    const path = join(folder, 'a.ini');
    const files = make({ [path]: '' });
    expect(files.readFile(join(folder, 'b.ini'))).toEqual({ kind: 'missing' });
    expect(files.readFile(folder)).toEqual({ kind: 'unusable', why: 'is not a regular file' });
    expect([path, folder, join(folder, 'b.ini')].map((it) => files.kindOf(it))).toEqual([
      'file',
      'directory',
      undefined,
    ]);
  });

  it('refuses more than a megabyte, and takes one', () => {
    const path = join(folder, 'a.ini');
    const full = '#'.repeat(1 << 20);
    expect(make({ [path]: full }).readFile(path)).toEqual({ kind: 'text', text: full });
    expect(make({ [path]: `${full}#` }).readFile(path)).toEqual({ kind: 'unusable', why: 'too large: more than 1 MB' });
  });
});

describe('what only a disk has', () => {
  it('calls Latin-1 not UTF-8', () => {
    const path = join(folder, 'a.ini');
    writeFileSync(path, Buffer.from('name = Jos\u00e9', 'latin1'));
    expect(createConfigFiles().readFile(path)).toEqual({ kind: 'unusable', why: 'not UTF-8' });
  });

  it('does not wait on a FIFO', () => {
    const path = join(folder, 'fifo');
    execFileSync('mkfifo', [path]);
    expect(createConfigFiles().readFile(path)).toEqual({ kind: 'unusable', why: 'is not a regular file' });
    expect(createConfigFiles().kindOf(path)).toBeUndefined();
  });

  it('takes a path below a file for missing', () => {
    const path = join(folder, 'a.ini');
    writeFileSync(path, '');
    expect(createConfigFiles().readFile(join(path, 'app.ini'))).toEqual({ kind: 'missing' });
  });
});

describe('readServerSet', () => {
  it('reads a set from disk, named after its directory', () => {
    const path = join(folder, 'silver.ini');
    writeFileSync(path, '[appserver]\n');
    const { set, problems } = readServerSet(path, { env: { HOME: folder } });
    expect(problems).toEqual([]);
    expect(set?.name).toMatch(/^silver-config-[a-z0-9-]+$/);
    expect(set?.nodes).toEqual([{ name: `app1.${set?.name}.internal`, roles: ['appserver'] }]);
  });

  it('reports a file that is not there', () => {
    const path = join(folder, 'silver.ini');
    expect(readServerSet(path).problems).toEqual([
      { file: path, line: 0, message: `${path} does not exist`, severity: 'error' },
    ]);
  });
});
