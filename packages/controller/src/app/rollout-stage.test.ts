import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import {
  encodeBitmap,
  INLINE_ARCHIVE,
  type InstanceReport,
  type NoticeBody,
  type RequestBody,
  SlError,
} from '@silverlining/protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../../../test/fakes/manual-clock.ts';
import { SendingFleet } from '../../../../test/fakes/sending-fleet.ts';
import type { PackWish, ReleaseSource, ScannedRelease } from '../ports.ts';
import type { ControllerDeps } from './deps.ts';
import { stageOnNode } from './rollout-stage.ts';
import type { StageTarget } from './stage-target.ts';

const FILES = ['app/a', 'app/b', 'app/c'];
const target = {
  app: { name: 'blog' },
  instance: 'blog.20260131_002',
  release: { digest: 'd', manifest: { files: FILES.map((path) => ({ path, size: 10, mode: 0o644, sha256: path })) } },
  spec: { health: { timeout: 1 } },
  ...{ deploy: 'D', epoch: 3, sendable: true, beside: 0, others: [], base: undefined, onThisMachine: false },
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
/** As the real one, without a disk. */
const borrow: ReleaseSource['borrow'] = async (_release, _missing, fetch) => {
  const chunks: Buffer[] = [];
  await fetch(async (chunk) => void chunks.push(chunk));
  return pack(target.app, target.release, { missing: Buffer.concat(chunks).toString() });
};
const deps = () =>
  ({
    ...{ fleet, source: { pack, borrow }, clock: new ManualClock(7) },
    log: { warn: () => undefined },
  }) as unknown as ControllerDeps;
const stage = (more: Partial<StageTarget> = {}) => stageOnNode(deps(), { ...target, ...more }, 'app1', signal);
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

describe('to nodes on this machine', () => {
  const large = FILES.map((path) => ({ path, size: INLINE_ARCHIVE / 2, mode: 0o644, sha256: path }));
  const near = { onThisMachine: true, release: { ...target.release, manifest: { files: large } } as ScannedRelease };
  const orders = (): unknown[] => fleet.bodies('stage').map(({ plain }) => plain);

  it('files go as they are', async () => {
    connect({ plainArchive: true, inlineArchive: INLINE_ARCHIVE });
    await stage(near);
    expect([packed.map(({ plain }) => plain), orders()]).toEqual([[true], [true]]);
  });

  it.each<[string, Partial<NoticeBody<'hello'>>, Partial<StageTarget>]>([
    ['an agent that does not know that', {}, near],
    ['a node elsewhere', { plainArchive: true }, { ...near, onThisMachine: false }],
    ['what goes with the order', { plainArchive: true, inlineArchive: INLINE_ARCHIVE }, { onThisMachine: true }],
  ])('they are compressed for %s', async (_what, hello, wanted) => {
    connect(hello);
    await stage(wanted);
    expect([packed.map(({ plain }) => plain), orders()]).toEqual([[false], [undefined]]);
  });
});

describe('a release whose files are not here', () => {
  const borrowing = { sendable: false, others: ['app1', 'app2', 'app3', 'app4'] };
  const asked: string[] = [];
  beforeEach(() => {
    asked.length = 0;
  });

  type Of = Partial<Pick<InstanceReport, 'state' | 'digest'>>;

  /** A node that has the release, and lends this; or fails. */
  function lender(node: string, lends: string | SlError, { state = 'stopped', digest = 'd' }: Of = {}): void {
    const lend = async ({ transfer = '', missing }: RequestBody<'lend'>) => {
      asked.push(`${node} ${missing}`);
      const socket = fleet.sockets.get(transfer);
      if (lends instanceof SlError) throw lends;
      socket?.end(lends);
      return {};
    };
    const instances = [{ app: 'blog', instance: target.instance, digest, state }];
    fleet.connect(node, { lend }, { instances });
  }
  const lost = new SlError('E_NOT_FOUND', 'lost');

  it('comes from a node that has it', async () => {
    lender('app2', 'of app2');
    const { files } = await stage(borrowing);
    expect(received).toEqual(['of app2']);
    expect(asked).toEqual([`app2 ${bitmap(...FILES)}`]);
    expect([...files.keys()]).toEqual([0, 1, 2]);
  });

  it('comes from the next one where that does not have it whole, or does not know how to lend', async () => {
    lender('app1', 'the one that lacks it');
    connect({ instances: [{ app: 'blog', instance: target.instance, digest: 'd', state: 'stopped' }] });
    lender('app2', lost);
    lender('app3', new SlError('E_UNKNOWN_TYPE', 'unknown type lend'));
    lender('app4', 'of app4');
    await stage(borrowing);
    expect(received).toEqual(['of app4']);
    expect(asked.map((it) => it.split(' ')[0])).toEqual(['app2', 'app3', 'app4']);
  });

  it.each([
    ['nobody has', () => undefined],
    ['those that have it lost', () => lender('app2', lost)],
    ['one has that failed', () => lender('app2', 'of app2', { state: 'failed' })],
    ['one has that is another one', () => lender('app2', 'of app2', { digest: 'e' })],
  ])('that %s is refused, with what to do', async (_what, make) => {
    make();
    await expect(stage(borrowing)).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
      message: expect.stringMatching(
        /^blog\.20260131_002 is not whole .* lacks 3 of its 3 files, .* deploy blog again$/,
      ),
    });
    expect(received).toEqual([]);
  });

  it('is not asked for again where the deploy is cancelled', async () => {
    lender('app2', new SlError('E_ABORTED', 'cancelled'));
    lender('app3', 'of app3');
    await expect(stage(borrowing)).rejects.toMatchObject({ code: 'E_ABORTED' });
    expect(asked).toHaveLength(1);
  });
});
