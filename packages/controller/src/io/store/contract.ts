/** What every `Store` must do, the one on disk and the fake: called by their tests. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEPLOYS_KEPT } from '../../core/release/surplus-deploys.ts';
import type { Store } from '../../ports.ts';
import { commitFirst, commitTests, epochTests, FIRST, SECOND, UNCOMMITTED } from './contract-commits.ts';
import { APP, deploy, entryOf, nodeRecord, release, serverSet, topology } from './contract-records.ts';

const FACTS = {
  ...{ hostname: 'app1', arch: 'x64', cpus: 2, memory: 1, bootId: 'b', agentDigest: 'd' },
  os: { id: 'debian', version: '13', name: 'Debian' },
};

/** Registers the tests for stores that `open` makes, each empty. */
export function storeContract(open: () => Store): void {
  let store: Store;
  beforeEach(() => {
    store = open();
  });
  afterEach(() => store.close());

  describe('sets', () => setTests(() => store));
  describe('epochs', () => epochTests(() => store));
  describe('nodes', () => nodeTests(() => store));
  describe('releases', () => releaseTests(() => store));
  describe('leases', () => leaseTests(() => store));
  describe('commit', () => commitTests(() => store));
  describe('secrets', () => secretTests(() => store));
}

function setTests(store: () => Store): void {
  it('keeps a set, and what was committed when its configuration is written again', async () => {
    expect(await store().set('demo')).toBeUndefined();
    const made = await store().putSet('demo', serverSet('demo'));
    expect(made).toEqual({ name: 'demo', config: serverSet('demo'), topology: undefined, active: {}, ...UNCOMMITTED });
    await store().putTopology('demo', topology('demo', 1));
    await commitFirst(store());
    const again = await store().putSet('demo', { ...serverSet('demo'), aliases: ['www.example'] });
    expect(again).toMatchObject({ epoch: 1, active: { blog: FIRST }, topology: { generation: 1 } });
    expect(await store().sets()).toEqual([again]);
  });

  it('refuses rows of a set that does not exist with E_NOT_FOUND', async () => {
    const missing = { code: 'E_NOT_FOUND' };
    await expect(store().putTopology('nope', topology('nope', 1))).rejects.toMatchObject(missing);
    await expect(store().putNode(nodeRecord('nope', 'n1'))).rejects.toMatchObject(missing);
    await expect(store().putRelease(release('nope', FIRST))).rejects.toMatchObject(missing);
    await expect(store().putDeploy(deploy('nope', 'd1', FIRST))).rejects.toMatchObject(missing);
    await expect(store().secret('nope', 'a', () => 'x')).rejects.toMatchObject(missing);
  });

  it('removes a set with all its rows and no others, and fences off what was before', async () => {
    await commitFirst(store());
    await store().putNode(nodeRecord('demo', 'n1'));
    await store().putSet('other', serverSet('other'));
    await store().putRelease(release('other', FIRST));
    await store().deleteSet('demo');
    expect((await store().sets()).map(({ name }) => name)).toEqual(['other']);
    expect(await store().node('n1')).toBeUndefined();
    expect(await store().releases('demo')).toEqual([]);
    expect(await store().deploys('demo')).toEqual([]);
    expect(await store().release('other', FIRST)).toEqual(release('other', FIRST));
    expect(await store().putSet('demo', serverSet('demo'))).toMatchObject({ epoch: 1, active: {} });
  });

  it('goes on above what it had when a set of its name was there before, its lease included', async () => {
    await commitFirst(store());
    await store().deleteSet('demo');
    await store().releaseLease('demo', 1);
    await store().dropLeases();
    const { lease } = await store().acquireLease('demo', 'bob', 'op2', 2000);
    expect(lease.token).toBe(2);
    expect(await store().putSet('demo', serverSet('demo'))).toMatchObject({ epoch: 1, committed: false });
    await store().hearEpoch('demo', 1);
    expect(await store().commit({ set: 'demo', token: 2, active: {}, deploys: [], now: 6000 })).toBe(2);
  });
}

function nodeTests(store: () => Store): void {
  beforeEach(() => store().putSet('demo', serverSet('demo')));

  it('keeps nodes in the order in which they were first written', async () => {
    const enrolled = nodeRecord('demo', 'n2', {
      ...{ providerId: 'p2', address: '10.0.0.2', state: 'enrolled', keyHash: 'k', certGeneration: 3 },
      ...{ hostKeys: ['ssh-ed25519 AAAA'], told: '', lastSeen: 5, facts: FACTS },
    });
    await store().putNode(enrolled);
    await store().putNode(nodeRecord('demo', 'n1'));
    await store().putNode(enrolled);
    expect(await store().nodes('demo')).toEqual([enrolled, nodeRecord('demo', 'n1')]);
    expect(await store().node('n2')).toEqual(enrolled);
    await store().deleteNode('n2');
    await store().deleteNode('n2');
    expect(await store().nodes('demo')).toEqual([nodeRecord('demo', 'n1')]);
  });

  it('does not let a writer who read the node earlier undo what its agent said since', async () => {
    const early = nodeRecord('demo', 'n1', { lastSeen: 10 });
    await store().putNode(early);
    await store().touchNodes([{ uuid: 'n1', lastSeen: 20, facts: FACTS }]);
    await store().touchNodes([
      { uuid: 'gone', lastSeen: 30 },
      { uuid: 'n1', lastSeen: 15 },
    ]);
    await store().putNode({ ...early, address: '10.0.0.1' });
    expect(await store().node('n1')).toEqual({ ...early, address: '10.0.0.1', lastSeen: 20, facts: FACTS });
    await store().putNode({ ...early, lastSeen: undefined });
    expect(await store().node('n1')).toMatchObject({ lastSeen: 20 });
  });
}

function releaseTests(store: () => Store): void {
  beforeEach(() => store().putSet('demo', serverSet('demo')));

  it('keeps releases, oldest first, of one app or of all', async () => {
    const first = release('demo', FIRST);
    const second = release('demo', SECOND, { createdAt: 2000 });
    const other = release('demo', 'shop.20260131_001', { app: 'shop', createdAt: 1500 });
    for (const it of [second, other, first]) await store().putRelease(it);
    expect(await store().releases('demo')).toEqual([first, other, second].map(entryOf));
    expect(await store().releases('demo', 'shop')).toEqual([entryOf(other)]);
    await store().deleteReleases('demo', [FIRST, 'blog.20260131_009']);
    // The digest is shared: the manifest stays as long as one release has it.
    expect(await store().release('demo', SECOND)).toEqual(second);
    expect(await store().release('demo', FIRST)).toBeUndefined();
    await store().deleteReleases('demo', [SECOND, 'shop.20260131_001']);
    await store().putRelease({ ...first, config: { ...APP, keep: 9 } });
    expect(await store().releases('demo')).toMatchObject([{ config: { keep: 9 } }]);
    expect(await store().release('demo', FIRST)).toMatchObject({ config: { keep: 9 }, manifest: first.manifest });
  });

  it('forgets the oldest deploys of an app, but none that made a release which is still there', async () => {
    await store().putSet('demo', serverSet('demo'));
    await store().putRelease(release('demo', FIRST));
    const count = DEPLOYS_KEPT + 3;
    for (let i = 0; i < count; i++) {
      const instance = i === 1 ? FIRST : `blog.20260201_${i}`;
      await store().putDeploy(deploy('demo', `d${i}`, instance, { state: 'ended', startedAt: i }));
    }
    await store().putDeploy(deploy('demo', 'shop', 'shop.20260201_001', { app: 'shop', startedAt: count }));
    const ids = (await store().deploys('demo')).map((it) => it.id);
    expect(ids).toEqual(['d1', ...Array.from({ length: DEPLOYS_KEPT }, (_, i) => `d${i + 3}`), 'shop']);
  });

  it('keeps deploys, and replaces one by its id', async () => {
    await store().putDeploy(deploy('demo', 'd1', FIRST, { startedAt: 2000.5 }));
    // The clock was set back.
    await store().putDeploy(deploy('demo', 'd2', SECOND));
    const ended = deploy('demo', 'd1', FIRST, { state: 'ended' });
    await store().putDeploy(ended);
    expect(await store().deploys('demo')).toEqual([ended, deploy('demo', 'd2', SECOND)]);
    expect(await store().deploy('d1')).toEqual(ended);
    expect(await store().deploy('d3')).toBeUndefined();
  });

  it('keeps what happened in a deploy beside it, whoever writes it without', async () => {
    const row = deploy('demo', 'd1', FIRST);
    const [staged, drained] = ['staged', 'drained'].map((event) => ({ node: 'app1', event, ms: 1.5 }));
    const timeline = [staged, drained].flatMap((it) => it ?? []);
    await store().putDeploy({ ...row, record: { ...row.record, timeline: timeline.slice(0, 1) } });
    expect(await store().deploys('demo')).toEqual([row]);
    await store().changeDeploys('demo', (rows) => {
      expect(rows).toEqual([row]);
      return rows;
    });
    await store().addToTimeline('d1', timeline.slice(1));
    await store().addToTimeline('gone', timeline);
    const ended = { ...row, state: 'ended' as const };
    await store().putDeploy(ended);
    expect(await store().deploy('d1')).toEqual({ ...ended, record: { ...row.record, timeline } });
  });

  it('changes those deploys of a set that it is told to, or none', async () => {
    const [first, second] = [deploy('demo', 'd1', FIRST), deploy('demo', 'd2', SECOND, { startedAt: 2000 })];
    const ended = { ...second, state: 'ended' as const };
    await store().putSet('other', serverSet('other'));
    for (const row of [first, second, deploy('other', 'd3', FIRST)]) await store().putDeploy(row);
    await store().changeDeploys('demo', (rows) => {
      expect(rows).toEqual([first, second]);
      return [ended];
    });
    expect(await store().deploys('demo')).toEqual([first, ended]);
    const broken = () => {
      throw new RangeError('no');
    };
    await expect(store().changeDeploys('demo', broken)).rejects.toThrow('no');
    expect(await store().deploys('demo')).toEqual([first, ended]);
  });
}

function leaseTests(store: () => Store): void {
  it('grants one at a time, and tells the others who holds it', async () => {
    const mine = await store().acquireLease('demo', 'ada@laptop', 'op1', 1000);
    expect(mine).toEqual({
      granted: true,
      lease: { set: 'demo', holder: 'ada@laptop', operation: 'op1', since: 1000, token: 1, beats: 0 },
    });
    expect(await store().acquireLease('demo', 'bob', 'op2', 2000)).toEqual({ granted: false, lease: mine.lease });
    expect(await store().acquireLease('other', 'bob', 'op3', 2000)).toMatchObject({ granted: true });
  });

  it('counts signs of life of the one who holds it', async () => {
    const asked = async () => (await store().acquireLease('demo', 'bob', 'op2', 2000)).lease.beats;
    const { lease } = await store().acquireLease('demo', 'ada', 'op1', 1000);
    await store().beatLease('demo', lease.token);
    await store().beatLease('demo', lease.token);
    await store().beatLease('demo', lease.token + 1);
    await store().beatLease('other', lease.token);
    expect(await asked()).toBe(2);
  });

  it('gives tokens that grow over release, drop and removal of the set', async () => {
    const tokens: number[] = [];
    const take = async () => {
      const { lease, granted } = await store().acquireLease('demo', 'ada', 'op', 1000);
      if (granted) tokens.push(lease.token);
      return lease.token;
    };
    await store().releaseLease('demo', await take());
    await take();
    await store().releaseLease('demo', 1);
    await take();
    await store().dropLeases();
    await take();
    await store().putSet('demo', serverSet('demo'));
    await store().deleteSet('demo');
    await store().dropLeases();
    await take();
    expect(tokens).toEqual([1, 2, 3, 4]);
  });
}

function secretTests(store: () => Store): void {
  it('makes each once, and forgets them with the set', async () => {
    await store().putSet('demo', serverSet('demo'));
    await store().putSet('other', serverSet('other'));
    const make = (set: string, name: string, value: string) => store().secret(set, name, () => value);
    expect(await make('demo', 'mysql:a_b', 'one')).toBe('one');
    expect(await make('demo', 'mysql:a_b', 'two')).toBe('one');
    expect(await make('other', 'mysql:a_b', 'four')).toBe('four');
    await store().deleteSet('demo');
    await store().putSet('demo', serverSet('demo'));
    expect(await make('demo', 'mysql:a_b', 'new')).toBe('new');
    expect(await make('other', 'mysql:a_b', 'new')).toBe('four');
  });
}
