import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ManifestFile } from '@silverlining/protocol';
import { blobKey, OpenFile } from '@silverlining/system';
import { expect, it, onTestFinished, vi } from 'vitest';
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

it.each([-1, 1])('goes when it was left long before now, or after now by a clock that was set back since', (sign) => {
  const folder = mkdtempSync(join(tmpdir(), 'sl-leftovers-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const leftovers = new Leftovers(join(folder, 'leftovers'), join(folder, 'incoming'));
  writeFileSync(leftovers.add(blobKey(file)), 'alp');
  const [now, far] = [Date.now(), EXPIRES + 60_000];
  leftovers.removeExpired(now);
  expect(leftovers.has(file)).toBe(true);
  utimesSync(leftovers.path(blobKey(file)), (now + sign * far) / 1000, (now + sign * far) / 1000);
  leftovers.removeExpired(now);
  expect([leftovers.has(file), readdirSync(join(folder, 'leftovers'))]).toEqual([false, []]);
});

it('what cannot be listed is not taken for nothing, and not removed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sl-leftovers-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  // Also root cannot read it, and it is neither missing nor a file.
  symlinkSync('incoming', join(folder, 'incoming'));
  expect(() => new Leftovers(join(folder, 'leftovers'), join(folder, 'incoming'))).toThrow('ELOOP');
  expect(readdirSync(folder)).toContain('incoming');
});

it('a folder for receptions may be missing, and have a file where the folder of one should be', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sl-leftovers-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [own, incoming] = [join(folder, 'leftovers'), join(folder, 'incoming')];
  new Leftovers(own, incoming);
  mkdirSync(incoming);
  writeFileSync(join(incoming, 'file'), 'text');
  new Leftovers(own, incoming);
  expect(readdirSync(folder)).toEqual(['leftovers']);
});

it('what the disk does not give is of no use, and keeps no release from being offered', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sl-leftovers-'));
  const leftovers = new Leftovers(join(folder, 'leftovers'), join(folder, 'incoming'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
    vi.restoreAllMocks();
  });
  const read = vi.spyOn(OpenFile.prototype, 'read').mockRejectedValue(new Error('EIO: i/o error, read'));
  writeFileSync(leftovers.add(blobKey(file)), 'alpha');
  expect(await leftovers.verified(file, { sizes: [5], digests: sha256.slice(0, 32) }, signal)).toBe(0);
  expect(await leftovers.bytesOf(file, signal)).toBe(0);
  expect([read.mock.calls.length, readdirSync(join(folder, 'leftovers'))]).toEqual([2, []]);
});
