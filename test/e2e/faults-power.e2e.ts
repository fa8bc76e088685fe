/** A power cut: the disk as it is at one moment, without what was still in memory. The agent's durable state has to be on it. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { ManifestFile } from '@silverlining/protocol';
import { linkDurable } from '@silverlining/system';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { blobKey, blobPath } from '../../packages/agent/src/io/release/blob-keys.ts';
import { openContentStore } from '../../packages/agent/src/io/release/content-store.ts';
import { openJournals } from '../../packages/agent/src/io/release/journals.ts';
import { syncFileSystems } from '../../packages/agent/src/io/release/sync.ts';
import { hostCommand } from '../../packages/controller/src/io/host-packages.ts';
import { archiveOf } from '../builders/tar-archive.ts';

let folder: string;
/** The file system whose plug is pulled, and where it is seen afterwards. */
let disk: string;
let after: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sl-power-'));
  [disk, after] = [join(folder, 'disk'), join(folder, 'after')];
  await Promise.all([disk, after].map((path) => mkdir(path)));
  await hostCommand(['truncate', '--size', '64M', `${folder}/image`]);
  await hostCommand(['mkfs.ext4', '-q', `${folder}/image`]);
  await hostCommand(['mount', '-o', 'loop', `${folder}/image`, disk]);
});

afterEach(() => hostCommand(['umount', after]));
afterAll(async () => {
  await hostCommand(['umount', disk]);
  await rm(folder, { recursive: true });
});

/** Copies what the disk has, and mounts the copy as a machine would that is switched on again. */
async function cutPower(): Promise<void> {
  await hostCommand(['cp', `${folder}/image`, `${folder}/copy`]);
  await hostCommand(['mount', '-o', 'loop', `${folder}/copy`, after]);
}

const paths = (root: string) => ({ instances: `${root}/instances`, committed: `${root}/agent/committed.json` });
const warnings: string[] = [];
const journals = (root: string) => openJournals(paths(root), (text) => warnings.push(text));

describe('after a power cut', () => {
  it('what was only renamed is as it was before: otherwise nothing here could fail', async () => {
    await writeFile(`${disk}/plain`, 'old');
    await hostCommand(['sync', '--file-system', disk]);
    await writeFile(`${disk}/plain.new`, 'new');
    await rename(`${disk}/plain.new`, `${disk}/plain`);
    await cutPower();
    expect(await readFile(`${after}/plain`, 'utf8')).toBe('old');
  });

  it('the newest commit that was written is there', async () => {
    const { writeCommitted } = await journals(disk);
    for (let epoch = 1; epoch <= 3; epoch += 1)
      await writeCommitted({ version: 1, epoch, active: { blog: `blog.20260131_00${epoch}` } });
    await cutPower();
    const active = { blog: 'blog.20260131_003' };
    expect(await (await journals(after)).committed()).toEqual({ version: 1, epoch: 3, active });
  });

  it('in the middle of writing, there is a whole commit, not older than the last that was written', async () => {
    const { writeCommitted } = await journals(disk);
    let [written, stop] = [3, false];
    const writing = (async () => {
      while (!stop) {
        await writeCommitted({ version: 1, epoch: written + 1, active: {} });
        written += 1;
      }
    })();
    await expect.poll(() => written).toBeGreaterThan(20);
    const before = written;
    await cutPower();
    stop = true;
    await writing;
    const found = await (await journals(after)).committed();
    expect(found?.epoch).toBeGreaterThanOrEqual(before);
    expect(warnings).toEqual([]);
  });

  it('a link is the old one or the new one, and the new one once that was said', async () => {
    await linkDurable(`${disk}/link`, 'first');
    await linkDurable(`${disk}/link`, 'second');
    await cutPower();
    expect((await hostCommand(['readlink', `${after}/link`])).stdout.trim()).toBe('second');
  });

  it.each([3, 200])('of %d contents that were taken in, those that have their name are whole', async (count) => {
    const { files } = await takeIn(count);
    await cutPower();
    for (const file of files) expect([file.sha256, undefined]).toContain(await hashAfter(file));
  });

  it('all contents are there once the node has voted', async () => {
    const { files } = await takeIn(20);
    // What the vote does before its journal is written.
    await syncFileSystems(disk);
    await cutPower();
    for (const file of files) expect(await hashAfter(file)).toBe(file.sha256);
  });
});

/** Takes new contents into the store, as a deploy does. */
async function takeIn(count: number): Promise<{ files: ManifestFile[] }> {
  const entries = Array.from({ length: count }, (_, i) => ({
    path: `app/${i}`,
    content: randomBytes(2_000).toString('hex'),
  }));
  const files = entries.map(({ path, content }) => {
    const sha256 = createHash('sha256').update(content).digest('hex');
    return { path, mode: 0o644 as const, size: content.length, sha256 };
  });
  const me = async () => ({ uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });
  const store = await openContentStore(`${disk}/store`, me);
  const input = Readable.from([archiveOf(entries)], { objectMode: false });
  await store.receive(input, { listed: files, missing: files }, new AbortController().signal);
  return { files };
}

/** Of the content that the store has under this name after the cut; undefined when it has none. */
async function hashAfter(file: ManifestFile): Promise<string | undefined> {
  const content = await readFile(blobPath(`${after}/store`, blobKey(file))).catch(() => undefined);
  return content && createHash('sha256').update(content).digest('hex');
}
