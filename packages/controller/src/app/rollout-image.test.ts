import { text } from 'node:stream/consumers';
import { encodeBitmap, type NoticeBody, type RequestBody, SlError } from '@silverlining/protocol';
import { beforeEach, expect, it } from 'vitest';
import { ManualClock } from '../../../../test/fakes/manual-clock.ts';
import { SendingFleet } from '../../../../test/fakes/sending-fleet.ts';
import type { ReleaseSource, ScannedRelease } from '../ports.ts';
import type { ControllerDeps } from './deps.ts';
import { stageOnNode } from './rollout-stage.ts';
import type { StageTarget } from './stage-target.ts';

const MiB = 1 << 20;
const digest = (i: number) => i.toString(16).padStart(64, '0');
const fileOf = (i: number, size = 10) => ({
  path: `app/${String(i).padStart(4, '0')}`,
  mode: 0o644 as const,
  size,
  sha256: digest(i),
});

function releaseOf(name: string, files: ReturnType<typeof fileOf>[]): ScannedRelease {
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  return { digest: name, bytes, manifest: { version: 1, app: 'blog', files, links: [] } };
}

const many = (first = 0) => Array.from({ length: 300 }, (_, i) => fileOf(first + i));
/** One file of 4 GiB among five times as much. */
const huge = () => [...Array.from({ length: 6000 }, (_, i) => fileOf(i, 3.5 * MiB)), fileOf(6000, 4096 * MiB)];
const largish = () => many().map((file) => ({ ...file, size: MiB }));
const target = (more: Partial<StageTarget> = {}) =>
  ({
    app: { name: 'blog' },
    instance: 'blog.20260131_002',
    release: releaseOf('many', many()),
    spec: { health: { timeout: 1 }, platform: 'static' },
    ...{ deploy: 'D', epoch: 3, sendable: true, beside: 0, others: [], base: undefined, onThisMachine: false },
    ...more,
  }) as unknown as StageTarget;
const WISH = { support: { 'loader.py': 'load()' } };
const { signal } = new AbortController();

let fleet: SendingFleet;
let asked: RequestBody<'offer'>[];
let taken: Omit<RequestBody<'image'>, 'transfer'>[];
let received: string[];
let staged: RequestBody<'stage'>[];
let failures: SlError[];
let closed: number;
/** Of the release that is staged. */
let files: number;

beforeEach(() => {
  fleet = new SendingFleet();
  [asked, taken, received, staged, failures, closed] = [[], [], [], [], [], 0];
  connect();
});

function connect(hello: Partial<NoticeBody<'hello'>> = { releaseImages: true }, { isWanted = true } = {}) {
  fleet.connect(
    'app1',
    {
      offer: (body: RequestBody<'offer'>) => {
        asked.push(body);
        if (body.image === undefined) return { missing: encodeBitmap(files, [0]), free: 0 };
        return { missing: '', free: 0, ...(isWanted ? { image: WISH } : {}) };
      },
      image: async ({ transfer, ...order }: RequestBody<'image'>) => {
        taken.push(order);
        const socket = fleet.sockets.get(transfer);
        received.push(socket === undefined ? '' : await text(socket));
        return {};
      },
      stage: async (body: RequestBody<'stage'>) => {
        staged.push(body);
        const failure = failures.shift();
        if (failure !== undefined) throw failure;
        return { port: 1, ms: { received: 5, unpacked: 5, started: 5, healthy: 5 } };
      },
    },
    hello,
  );
}

const image: ReleaseSource['image'] = (_app, release, { support, plain }) => ({
  ...{ index: 2, bytes: 4, manifest: 1 },
  send: async (sink, _signal, took) => {
    took?.(6);
    sink.end(JSON.stringify([release.digest, support, plain]));
  },
  sha256: async () => digest(77),
  close: async () => void closed++,
});
const pack: ReleaseSource['pack'] = () => ({
  ...{ files: 1, bytes: 10 },
  send: async (sink) => void sink.end('tar'),
  base64: async () => 'tar',
  close: async () => undefined,
});

function stage(more: Partial<StageTarget> = {}) {
  const deps = { fleet, source: { image, pack }, clock: new ManualClock(7), log: { warn: () => undefined } };
  const it = target(more);
  files = it.release.manifest.files.length;
  return stageOnNode(deps as unknown as ControllerDeps, it, 'app1', signal);
}

it('sends a release as an image to a node that has nothing of it, and then says its digest', async () => {
  const { files, wire, times } = await stage();
  const sample = asked[0]?.image?.sample ?? [];
  expect(asked).toEqual([
    {
      ...{ instance: 'blog.20260131_002', app: 'blog', digest: 'many' },
      image: { platform: 'static', files: 300, bytes: expect.any(Number), sample },
    },
  ]);
  expect([sample.length, sample[0], sample.at(-1)]).toEqual([16, digest(9), digest(290)]);
  expect(received).toEqual([JSON.stringify(['many', WISH.support, false])]);
  expect(taken).toEqual([{ instance: 'blog.20260131_002', index: 2, bytes: 4, manifest: 1 }]);
  expect(staged).toMatchObject([{ instance: 'blog.20260131_002', deploy: 'D', epoch: 3, image: digest(77) }]);
  expect([files.size, files.get(299), wire, closed]).toEqual([300, 10, 6, 1]);
  expect(times.map(([event]) => event)).toEqual(['received', 'started', 'healthy']);
});

it('does not compress it on the way to a node of this machine', async () => {
  connect({ releaseImages: true, plainArchive: true });
  await stage({ onThisMachine: true });
  expect([taken[0]?.plain, received]).toEqual([true, [JSON.stringify(['many', WISH.support, true])]]);
});

it('counts a content once that several files have', async () => {
  const { files } = await stage({ release: releaseOf('many', [...many(), { ...fileOf(7), path: 'app/twice' }]) });
  expect(files.size).toBe(300);
});

it.each<[string, boolean, () => Partial<StageTarget>]>([
  ['of few files', false, () => ({ release: releaseOf('few', many().slice(0, 255)) })],
  ['mostly of large files', false, () => ({ release: releaseOf('large', [...many(), fileOf(300, 5 * MiB)]) })],
  ['with one large file', true, () => ({ release: releaseOf('some', [...largish(), fileOf(300, 5 * MiB)]) })],
  ['with a file that no image has room for', false, () => ({ release: releaseOf('huge', huge()) })],
  ['that its own script adds to', false, () => ({ spec: { ...target().spec, packageInstallScript: 'x' } })],
])('as for a release %s, asks whether it is wanted as an image: %s', async (_what, isAsked, more) => {
  await stage(more());
  expect(asked.map((it) => it.image !== undefined)).toEqual(isAsked ? [true] : [false]);
});

it('does not offer an image of what is not here any more', async () => {
  await expect(stage({ sendable: false })).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  expect(asked.map((it) => it.image)).toEqual([undefined]);
});

it('does not ask an agent that does not know of images', async () => {
  connect({});
  await stage();
  expect(asked.map((it) => it.image)).toEqual([undefined]);
});

it.each([
  ['differs little from one that the node has', 10, 'blog.20260131_001', [false]],
  ['differs much from one that the node has', 200, 'blog.20260131_001', [true]],
  ['differs little from one that the node does not have', 10, 'blog.20251231_001', [true]],
])('where a release %s, asks or does not', async (_what, first, instance, expected) => {
  const here = { app: 'blog', instance: 'blog.20260131_001', state: 'active' as const, digest: 'before' };
  connect({ releaseImages: true, instances: [here] });
  const base = { instance, digest: 'before', manifest: releaseOf('before', many(first)).manifest };
  await stage({ base });
  expect(asked.map((it) => it.image !== undefined)).toEqual(expected);
});

it('offers all files where the node does not want an image', async () => {
  connect({ releaseImages: true }, { isWanted: false });
  await stage();
  expect(asked.map((it) => it.image !== undefined)).toEqual([true, false]);
  expect([taken, staged.map((it) => it.image)]).toEqual([[], [undefined]]);
});

it('sends what is wrong in it by the file when it came damaged', async () => {
  failures = [new SlError('E_MANIFEST', 'the image of blog.20260131_002 came damaged')];
  const { times, files } = await stage();
  expect(asked.map((it) => it.image !== undefined)).toEqual([true, false]);
  expect(staged.map((it) => it.image)).toEqual([digest(77), undefined]);
  expect([times[0]?.[0], [...files.keys()], closed]).toEqual(['sent again', [0], 1]);
});

it('does not send again what failed for another reason', async () => {
  failures = [new SlError('E_DISK_FULL', 'full')];
  await expect(stage()).rejects.toMatchObject({ code: 'E_DISK_FULL' });
  expect([asked.length, closed]).toEqual([1, 1]);
});
