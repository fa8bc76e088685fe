/** Offers on a node whose disk is nearly full. */
import { readdirSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { type Manifest, manifestText } from '@silverlining/protocol';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { tarOf } from '../../../../test/builders/tar-archive.ts';
import { context, file, name, sha256, specOf } from '../../../../test/fakes/blog.ts';
import { FakeNode, fakeReleasePorts } from '../../../../test/fakes/release-ports.ts';
import type { Releases } from '../ports.ts';
import type { ReleasePorts } from '../release-ports.ts';
import { createReleases } from './releases.ts';

let root: string;
let node: FakeNode;
let ports: ReleasePorts;
let releases: Releases;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sl-space-'));
  node = new FakeNode();
  ports = await fakeReleasePorts(root, node);
  // 3 MiB, and what is left for journals and logs.
  ports.store = { ...ports.store, space: async () => ({ bytes: 35 << 20, inodes: undefined }) };
  releases = createReleases(ports);
});
afterEach(() => rmSync(root, { recursive: true }));

it('are refused where the copies have no room that a script of the release may write to', async () => {
  const manifest: Manifest = { version: 1, app: 'blog', files: [file('app/a', 'x'.repeat(2 << 20))], links: [] };
  const offer = { instance: name(1), app: 'blog', digest: sha256(manifestText(manifest)), manifest };
  await expect(releases.offer({ ...offer, scripted: true }, context())).rejects.toMatchObject({
    code: 'E_DISK_FULL',
    message: expect.stringContaining('needs 5 MiB and 32 MiB to spare; 35 MiB are free'),
  });
  await releases.offer(offer, context());
});

it('have the room that contents take of deploys that failed, whole or cut', async () => {
  const text = (n: number) => `${n}`.repeat(1 << 20);
  const offer = (n: number) => {
    const manifest: Manifest = { version: 1, app: 'blog', files: [file('app/server.js', text(n))], links: [] };
    return releases.offer(
      { instance: name(n), app: 'blog', digest: sha256(manifestText(manifest)), manifest },
      context(),
    );
  };
  const stage = async (n: number, code: string, cut?: number) => {
    await offer(n);
    const order = { instance: name(n), deploy: `d${n}`, epoch: 0, spec: specOf(n), transfer: 'of the test' };
    const tar = tarOf([{ path: 'app/server.js', content: text(n) }]);
    await expect(releases.stage(order, context(zstdCompressSync(tar.subarray(0, cut))))).rejects.toMatchObject({
      code,
    });
  };
  const contents = () => {
    const folders = readdirSync(ports.paths.store).filter((it) => it.length === 2);
    return folders.flatMap((it) => readdirSync(join(ports.paths.store, it)));
  };
  // 1 MiB for each of two.
  ports.store.space = async () => ({ bytes: (35 - contents().length) << 20, inodes: undefined });
  node.crashing = true;
  await stage(1, 'E_APP_CRASHED');
  await stage(2, 'E_TAR_TRUNCATED', -1024);
  expect(contents()).toHaveLength(2);
  await offer(3);
  expect(contents()).toHaveLength(0);
});
