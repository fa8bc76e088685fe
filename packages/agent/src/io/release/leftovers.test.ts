import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ManifestFile } from '@silverlining/protocol';
import { expect, it, onTestFinished } from 'vitest';
import { blobKey } from './blob-keys.ts';
import { EXPIRES, Leftovers } from './leftovers.ts';

const { signal } = new AbortController();
const sha256 = createHash('sha256').update('alpha').digest('hex');
const file: ManifestFile = { path: 'app/a', mode: 0o644, size: 5, sha256 };

it.each([
  ['alpha', 'whole'],
  ['alp', 'in part'],
])('%s, of a content that is there %s, does not expire while somebody asks for it', async (left) => {
  const folder = mkdtempSync(join(tmpdir(), 'sl-leftovers-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const leftovers = new Leftovers(join(folder, 'leftovers'), join(folder, 'incoming'));
  writeFileSync(leftovers.add(blobKey(file)), left);
  const longAgo = (Date.now() - EXPIRES - 60_000) / 1000;
  utimesSync(leftovers.path(blobKey(file)), longAgo, longAgo);
  const asked = leftovers.bytesOf(file, signal);
  leftovers.removeExpired(Date.now());
  expect(await asked).toBe(left.length);
  expect(readdirSync(join(folder, 'leftovers'))).toEqual([blobKey(file)]);
});
