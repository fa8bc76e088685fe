import { type OperationEvent, SlError, type WantedNode } from '@silverlining/protocol';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeFleet } from '../../../../test/fakes/fake-fleet.ts';
import { operation, SET, SmallSet, setOf } from '../../../../test/fakes/small-set.ts';
import { nodeRecord } from '../io/store/contract-records.ts';
import { deploy } from './deploy.ts';
import { Operations } from './operations.ts';
import { planSet } from './plan.ts';
import { rollback } from './rollback.ts';
import { up } from './up.ts';

const APP1: WantedNode = { name: 'app1', roles: ['appserver'] };
const APP2: WantedNode = { name: 'app2', roles: ['appserver'] };
const BOTH: WantedNode = { name: 'app1', roles: ['appserver', 'balancer'] };
const DB1: WantedNode = { name: 'db1', roles: ['service:mysql'] };
const BALANCER: WantedNode = { name: 'balancer', roles: ['balancer'] };

let small: SmallSet;
beforeEach(() => {
  small = new SmallSet();
});

it('an app server that the file no longer has is as many changes as the plan has', async () => {
  await small.add(APP1);
  await small.add(APP2);
  await small.up([APP1, APP2]);
  const set = setOf([APP1]);
  const { changes } = await planSet(small.deps, { set, deep: false }, new AbortController().signal);
  expect(await small.up([APP1])).toMatchObject({ changes });
});

it('nodes that are not as they should be are a change each, balancers too, which have their turn later', async () => {
  const converge = () => ({ reports: [{ id: 'file:/etc/hosts', status: 'changed' as const }] });
  await small.add(APP1, { converge });
  await small.add(BALANCER, { converge });
  await small.up([APP1, BALANCER]);
  expect(await small.up([APP1, BALANCER])).toMatchObject({ changes: 2 });
});

it('agents that are away are all waited for at the same time', async () => {
  const nodes = Array.from({ length: 9 }, (_, i): WantedNode => ({ name: `app${i}`, roles: ['appserver'] }));
  for (const node of nodes) await small.add(node);
  await small.clock.advance(60_000);
  await small.store.touchNodes(nodes.map(({ name }) => ({ uuid: name, lastSeen: 1 })));
  for (const { name } of nodes) small.fleet.drop(name);
  const { waitFor } = FakeFleet.prototype;
  let waiting = 0;
  small.fleet.waitFor = async (uuid) => {
    waiting++;
    await vi.waitFor(() => expect(waiting).toBeGreaterThanOrEqual(nodes.length));
    if (small.fleet.session(uuid) === undefined) small.fleet.reconnect(uuid);
    return waitFor.call(small.fleet, uuid);
  };
  expect((await small.up(nodes)).deploys).toMatchObject([{ outcome: 'done' }]);
});

describe('a service that the file no longer has', () => {
  beforeEach(async () => {
    await small.add(APP1);
    await small.add(DB1);
    await small.up([APP1, DB1]);
    small.version++;
    small.done.length = 0;
  });

  it('goes when what needs it is replaced', async () => {
    await small.up([APP1]);
    expect(small.done).toEqual([expect.stringMatching(/^stage .*_002$/), 'switch app1', 'destroy db1']);
  });

  it('is as many changes as the plan has', async () => {
    const locations = [{ host: 'blog.example', path: '/', app: 'blog' }];
    const set = { ...setOf([APP1]), locations };
    const { changes } = await planSet(small.deps, { set, deep: false }, new AbortController().signal);
    expect(changes).toBe(3);
    const upping = up(small.deps, operation(), { set, installHostPackages: false });
    expect(await small.passing(upping)).toMatchObject({ changes });
  });

  it('stays when what replaced that is taken back by itself', async () => {
    small.looping.add('blog.19700101_002');
    await expect(small.up([APP1])).rejects.toMatchObject({ error: { code: 'E_APP_CRASHED' } });
    expect(small.done).toEqual([expect.stringMatching(/^stage .*_002$/), 'switch app1', 'switch app1']);
  });

  it('stays, and no deploy is left open, when how that was taken back could not be written', async () => {
    small.looping.add('blog.19700101_002');
    const full = new SlError('E_STORE', 'the disk is full');
    vi.spyOn(small.store, 'deleteReleases').mockRejectedValueOnce(full);
    const upping = small.up([APP1], { ...operation(), operationId: 'up-2' });
    await expect(upping).rejects.toMatchObject({ error: { code: 'E_STORE' } });
    expect(small.done).not.toContain('destroy db1');
    const row = await small.store.deploy('up-2.blog');
    expect(row).toMatchObject({ state: 'ended', record: { outcome: 'rolled-back' } });
  });

  it('stays when a deploy right before that replaced what needs it is taken back by itself', async () => {
    const op = { ...operation(), operationId: 'deploy-2' };
    await small.passing(deploy(small.deps, op, { set: setOf([APP1]), apps: [] }));
    small.looping.add('blog.19700101_002');
    await expect(small.up([APP1])).rejects.toMatchObject({ code: 'E_APP_CRASHED' });
    expect(small.done).not.toContain('destroy db1');
    expect((await small.store.deploy('deploy-2.blog'))?.record).toMatchObject({ outcome: 'rolled-back' });
    expect((await small.store.set(SET))?.active).toEqual({ blog: 'blog.19700101_001' });
  });

  it('stays when the deploy fails', async () => {
    small.crashing.add('app1');
    await expect(small.up([APP1])).rejects.toMatchObject({ error: { code: 'E_APP_CRASHED' } });
    expect(small.done).not.toContain('destroy db1');
  });
});

it('an app server that the file no longer has goes before a deploy, which it could only hold up', async () => {
  for (const node of [APP1, APP2, BALANCER]) await small.add(node);
  await small.up([APP1, APP2, BALANCER]);
  small.version++;
  small.crashing.add('app2');
  small.done.length = 0;
  await small.up([APP1, BALANCER]);
  expect(small.done.indexOf('destroy app2')).toBeLessThan(small.done.findIndex((it) => it.startsWith('stage')));
});

it('a balancer that was not set up yet is, before a deploy that goes first needs it', async () => {
  let hasHaproxy = false;
  await small.add(APP1, {
    traffic: () => {
      if (!hasHaproxy) throw new SlError('E_SWITCH', 'HAProxy does not run');
      return { releases: {}, stale: 0 };
    },
    converge: (body) => {
      hasHaproxy ||= JSON.stringify(body).includes('haproxy.cfg');
      return { reports: [] };
    },
  });
  await small.up([APP1]);
  // What is live is not in the folder any more, so the new server cannot have it.
  await small.add(APP2, { offer: ({ instance }) => ({ missing: instance.endsWith('_001') ? 'AQ==' : '', free: 0 }) });
  small.version++;
  expect((await small.up([BOTH, APP2])).deploys).toMatchObject([{ outcome: 'done' }]);
});

it('a balancer knows no node that is gone, also when nothing was live before', async () => {
  let config = '';
  for (const node of [APP1, APP2]) await small.add(node);
  await small.add(BALANCER, {
    converge: (body) => {
      config = JSON.stringify(body);
      return { reports: [] };
    },
  });
  small.crashing.add('app1');
  await expect(small.up([APP1, APP2, BALANCER])).rejects.toThrow('it exited with 1');
  small.crashing.clear();
  await small.up([APP1, BALANCER]);
  expect(config).toContain('app1');
  expect(config).not.toContain('app2');
});

describe('Ctrl-C after the switch', () => {
  /** Cancels when the switch is reported, and resolves with how the operation ended. */
  async function cancelled(nodes: WantedNode[]) {
    const operations = new Operations({ clock: small.clock, ids: small.deps.ids });
    const id: string = operations.start({
      ...{ kind: 'up', set: SET, by: 'somebody' },
      run(op) {
        const emit: typeof op.emit = (progress) => {
          op.emit(progress);
          if (progress.text.startsWith('switched to')) operations.cancel(id);
        };
        return up(small.deps, { ...op, emit }, { set: setOf(nodes), installHostPackages: false });
      },
    });
    const events: OperationEvent[] = [];
    const follow = async () => {
      for await (const event of operations.follow(id, new AbortController().signal)) events.push(event);
    };
    await small.passing(follow());
    return events.at(-1);
  }

  it('does not take back what is decided, and tells of it', async () => {
    for (const node of [APP1, BALANCER]) await small.add(node);
    expect(await cancelled([APP1, BALANCER])).toMatchObject({
      type: 'done',
      result: { deploys: [{ outcome: 'done' }] },
    });
  });

  it('leaves the rest to the next run, and says so', async () => {
    for (const node of [APP1, DB1]) await small.add(node);
    await small.up([APP1, DB1]);
    small.version++;
    expect(await cancelled([APP1])).toMatchObject({
      type: 'failed',
      error: { code: 'E_ABORTED', message: expect.stringContaining('what it had deployed is active') },
      result: { deploys: [{ outcome: 'done' }] },
    });
  });
});

describe('a node that could not be set up', () => {
  beforeEach(async () => {
    await small.add(APP1);
    await small.up([APP1]);
    small.version++;
    await small.up([APP1]);
    await small.store.putNode(nodeRecord(SET, 'app2', { roles: ['appserver'], state: 'planned' }));
  });

  it('does not keep the others from a rollback', async () => {
    const { deploys } = await small.passing(rollback(small.deps, operation(), { set: SET }));
    expect(deploys).toMatchObject([{ outcome: 'done', instance: expect.stringContaining('_001') }]);
  });

  it('does not keep the others from a deploy', async () => {
    small.version++;
    const { deploys } = await small.passing(deploy(small.deps, operation(), { set: setOf([APP1, APP2]), apps: [] }));
    expect(deploys).toMatchObject([{ outcome: 'done' }]);
  });
});

it('a deploy that another controller took over and took back is not called done', async () => {
  await small.add(APP1);
  const taken = { code: 'E_APP_CRASHED' as const, message: 'it crashed' };
  const takeBack = async () => {
    const [row] = await small.store.deploys(SET);
    const record = row && { ...row.record, outcome: 'rolled-back' as const, error: taken };
    if (row && record) await small.store.putDeploy({ ...row, state: 'ended', record });
    return { epoch: 1, at: 0 };
  };
  await small.add(APP2, { switch: takeBack });
  await expect(small.up([APP1, APP2])).rejects.toMatchObject({ error: { code: 'E_APP_CRASHED' } });
  expect(await small.store.deploys(SET)).toMatchObject([{ record: { outcome: 'rolled-back' } }]);
});

it('a deploy that another controller is taking back is left to it to end', async () => {
  const { store } = small;
  const acquire = async () => (await store.acquireLease(SET, 'another', 'deploy-9', 0)).lease.token;
  const takeBack = async () => {
    await store.releaseLease(SET, await acquire());
    await store.commit({ set: SET, token: await acquire(), active: {}, deploys: [], now: 0 });
    return { epoch: 1, at: 0 };
  };
  await small.add(APP1);
  await small.add(APP2, { switch: takeBack });
  await small.up([APP1, APP2]).catch(() => undefined);
  expect(await store.deploys(SET)).toMatchObject([{ state: 'committed' }]);
});
