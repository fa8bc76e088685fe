import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { encodeBitmap, type NoticeBody, type RequestBody, SlError } from '@silverlining/protocol';
import { beforeEach, expect, it } from 'vitest';
import { SendingFleet } from '../../../../test/fakes/sending-fleet.ts';
import type { PackWish, ReleaseSource } from '../ports.ts';
import type { ControllerDeps } from './deps.ts';
import { type StageTarget, stageOnNode } from './rollout-stage.ts';

const FILES = ['app/a', 'app/b', 'app/c'];
const target = {
  app: { name: 'blog' },
  instance: 'blog.20260131_002',
  release: { digest: 'd', manifest: { files: FILES.map((path) => ({ path, size: 10, mode: 0o644, sha256: path })) } },
  spec: { health: { timeout: 1 } },
  ...{ deploy: 'D', epoch: 3, sendable: true, base: undefined },
} as unknown as StageTarget;
const bitmap = (...missing: string[]) =>
  encodeBitmap(
    FILES.length,
    missing.map((path) => FILES.indexOf(path)),
  );
const { signal } = new AbortController();

let fleet: SendingFleet;
let packed: PackWish[];
/** What the node says it lacks, offer for offer, and how it fails, stage for stage. */
let lacks: string[];
let failures: (SlError | undefined)[];
let received: string[];
/** What an archive has beside its files, and the bytes of these. */
let overhead: string;
let size: number;

beforeEach(() => {
  fleet = new SendingFleet();
  [packed, received] = [[], []];
  lacks = [bitmap(...FILES), bitmap('app/b')];
  [failures, overhead, size] = [[], '', 10];
  connect();
});

function connect(hello: Partial<NoticeBody<'hello'>> = {}): void {
  const answers: Parameters<SendingFleet['connect']>[1] = {
    offer: () => ({ missing: lacks.shift() ?? '', free: 0 }),
    stage: async ({ transfer = '', archive }: RequestBody<'stage'>) => {
      const socket = fleet.sockets.get(transfer) ?? new PassThrough();
      received.push(archive === undefined ? await text(socket) : Buffer.from(archive, 'base64').toString());
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      return { port: 1, ms: { received: 0, unpacked: 0, started: 0, healthy: 0 } };
    },
  };
  fleet.connect('app1', answers, hello);
}

const pack: ReleaseSource['pack'] = (_app, _release, wish) => {
  packed.push(wish);
  return {
    ...{ files: 1, bytes: size },
    send: async (sink, _signal, took) => {
      took?.(wish.missing.length);
      sink.end(wish.missing);
    },
    base64: async () => Buffer.from(wish.missing + overhead).toString('base64'),
    close: async () => undefined,
  };
};
const deps = () =>
  ({
    ...{ fleet, source: { pack }, clock: { monotonic: () => 7 } },
    log: { warn: () => undefined },
  }) as unknown as ControllerDeps;
const stage = () => stageOnNode(deps(), target, 'app1', signal);
const damaged = () =>
  new SlError('E_MANIFEST', '"app/b" came with another content than the manifest says', {
    details: { entry: 'app/b' },
  });

it('sends what is missing once when it arrives well', async () => {
  const { times } = await stage();
  expect(received).toEqual([bitmap(...FILES)]);
  expect(times.map(([event]) => event)).toEqual(['received', 'started', 'healthy']);
});

it.each([
  ['another content', damaged()],
  ['no archive', new SlError('E_TAR_TRUNCATED', 'release archive ended early')],
])(
  'sends what is still missing once more, packed anew and without chunks, when it arrives as %s',
  async (_what, error) => {
    failures = [error];
    const { times, files } = await stage();
    expect(received).toEqual([bitmap(...FILES), bitmap('app/b')]);
    expect(packed.map(({ isAgain, parts }) => [isAgain, parts])).toEqual([
      [false, []],
      [true, []],
    ]);
    expect(times[0]?.[0]).toBe('sent again');
    expect([...files.keys()]).toEqual([1]);
  },
);

it('gives up when it arrives damaged again, and names the file', async () => {
  failures = [damaged(), damaged(), damaged()];
  await expect(stage()).rejects.toMatchObject({
    code: 'E_MANIFEST',
    message: expect.stringMatching(/^"app\/b" came with another content .*, twice: the memory or a disk/),
    details: { entry: 'app/b' },
  });
  expect(received).toHaveLength(2);
});

it('does not send again what failed for another reason', async () => {
  failures = [new SlError('E_DISK_FULL', 'full')];
  await expect(stage()).rejects.toMatchObject({ code: 'E_DISK_FULL' });
  expect(received).toHaveLength(1);
});

it.each([
  ['all of it', 10, '', 0],
  ['less than it has when it is packed', 10, '.'.repeat(9), 1],
  ['less than it has', 9, '', 1],
])('sends an archive with the order to an agent that takes %s so', async (_what, inlineArchive, headers, sockets) => {
  overhead = headers;
  connect({ inlineArchive });
  expect(await stage()).toMatchObject({ wire: bitmap(...FILES).length });
  expect([received, fleet.sockets.size]).toEqual([[bitmap(...FILES)], sockets]);
});

it('sends no large archive with the order, whatever an agent says that it takes', async () => {
  size = 100_000;
  connect({ inlineArchive: Number.MAX_SAFE_INTEGER });
  await stage();
  expect([received, fleet.sockets.size]).toEqual([[bitmap(...FILES)], 1]);
});
