/** Offers on a node whose disk is nearly full. */
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Manifest, manifestText } from '@silverlining/protocol';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { context, file, name, sha256 } from '../../../../test/fakes/blog.ts';
import { FakeNode, fakeReleasePorts } from '../../../../test/fakes/release-ports.ts';
import type { Releases } from '../ports.ts';
import { createReleases } from './releases.ts';

let root: string;
let releases: Releases;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sl-space-'));
  const ports = await fakeReleasePorts(root, new FakeNode());
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
