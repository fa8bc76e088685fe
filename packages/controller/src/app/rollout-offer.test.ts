import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { zstdDecompressSync } from 'node:zlib';
import {
  type InstanceSpec,
  type Manifest,
  manifestText,
  type NoticeBody,
  type RequestBody,
} from '@silverlining/protocol';
import { beforeEach, expect, it, vi } from 'vitest';
import { ManualClock } from '../../../../test/fakes/manual-clock.ts';
import { SendingFleet } from '../../../../test/fakes/sending-fleet.ts';
import type { ControllerDeps } from './deps.ts';
import { offer } from './rollout-offer.ts';
import type { StageTarget } from './stage-target.ts';

/** A manifest of so many files, some more than go with the message. */
const manifestOf = (count: number): Manifest => {
  const paths = Array.from({ length: count }, (_, i) => `app/${String(i).padStart(4, '0')}`);
  const files = paths.map((path) => ({ path, mode: 0o644 as const, size: 1, sha256: '0'.repeat(64) }));
  return { version: 1, app: 'blog', files, links: [] };
};
const { signal } = new AbortController();
let fleet: SendingFleet;
let offered: { body: RequestBody<'offer'>; sent: string | undefined };

beforeEach(() => {
  fleet = new SendingFleet();
});

/** What a node is told that said this in its hello. */
async function offerTo(
  hello: Partial<NoticeBody<'hello'>>,
  manifest: Manifest,
  { spec = {}, bytes = 0, beside = 0 }: { spec?: Partial<InstanceSpec>; bytes?: number; beside?: number } = {},
): Promise<typeof offered> {
  const read = async (id: string) =>
    zstdDecompressSync(await buffer(fleet.sockets.get(id) ?? Readable.from([]))).toString();
  const answer = async (body: RequestBody<'offer'>) => {
    offered = { body, sent: body.transfer && (await read(body.transfer)) };
    return { missing: 'all', free: 0 };
  };
  fleet.connect('app1', { offer: answer }, hello);
  const release = { digest: 'd', manifest, bytes };
  const target = { app: { name: 'blog' }, instance: 'blog.20260131_002', release, beside, base: undefined, spec };
  const deps = { fleet, clock: new ManualClock() } as unknown as ControllerDeps;
  expect(await offer(deps, target as unknown as StageTarget, 'app1', signal)).toBe('all');
  return offered;
}

it('sends a large manifest as its text to an agent that takes that', async () => {
  const manifest = manifestOf(501);
  const { body, sent } = await offerTo({ manifestText: true }, manifest);
  expect([body.manifest, sent]).toEqual([undefined, manifestText(manifest)]);
});

it('sends it as JSON to an agent that does not say so', async () => {
  const manifest = manifestOf(501);
  const { sent } = await offerTo({}, manifest);
  expect(JSON.parse(sent ?? '')).toEqual(manifest);
});

it('has a small one in the message', async () => {
  const manifest = manifestOf(500);
  const { body, sent } = await offerTo({ manifestText: true }, manifest);
  expect([body.manifest, sent]).toEqual([manifest, undefined]);
});

it('says where a script of its own adds to the release', async () => {
  expect((await offerTo({}, manifestOf(1))).body.scripted).toBe(false);
  expect((await offerTo({}, manifestOf(1), { spec: { packageInstallScript: 'install' } })).body.scripted).toBe(true);
});

it.each([1, 501])('gives a node the time to read all of what comes to it, of %i files', async (count) => {
  const request = vi.spyOn(fleet, 'request');
  await offerTo({}, manifestOf(count), { bytes: 10e9, beside: 2e9 });
  const [[, , , options] = []] = request.mock.calls;
  expect(options?.deadline).toBe(60_000 + 600_000);
});
