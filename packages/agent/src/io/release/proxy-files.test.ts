import { existsSync, rmSync } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ReleasePaths, releasePaths } from '../../core/release/paths.ts';
import type { ProxyFiles } from '../../release-ports.ts';
import { createProxyFiles } from './proxy-files.ts';

let root: string;
let paths: ReleasePaths;
let files: ProxyFiles;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sl-proxy-'));
  paths = releasePaths(root);
  files = await createProxyFiles(paths);
});
afterEach(() => rmSync(root, { recursive: true }));

describe('a node that may get requests', () => {
  it('may so until it is said to be otherwise, also where its agent starts again', async () => {
    await files.setReady(true);
    files = await createProxyFiles(paths);
    expect(existsSync(paths.ready)).toBe(true);
    await files.setReady(false);
    expect([existsSync(paths.ready), existsSync(paths.readyFile)]).toEqual([false, false]);
  });

  it('may not after a boot, which empties /run, until it is said to be so again', async () => {
    await files.setReady(true);
    await rm(join(root, 'run'), { recursive: true });
    expect(existsSync(paths.ready)).toBe(false);
    await files.setReady(true);
    expect(existsSync(paths.ready)).toBe(true);
  });

  it('may not after a boot where an earlier agent had said that it may', async () => {
    await writeFile(paths.ready, 'ready\n');
    await files.setReady(true);
    expect(existsSync(paths.ready)).toBe(true);
    await rm(join(root, 'run'), { recursive: true });
    expect(existsSync(paths.ready)).toBe(false);
  });
});

it('maps that are as they should be are not written again', async () => {
  const places = () => Promise.all([paths.instancesMap, paths.othersMap].map(async (it) => (await stat(it)).ino));
  const write = async (port: number) => {
    await files.writeInstances(new Map([['blog.20260131_001', port]]));
    await files.writeOthers(`blog.1 blog.20260131_00${port}\n`);
    return places();
  };
  const first = await write(1);
  expect(await write(1)).toEqual(first);
  expect(await write(2)).not.toEqual(first);
});
