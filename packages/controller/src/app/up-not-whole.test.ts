import {
  type ActiveMap,
  type InstanceReport,
  type RequestBody,
  SlError,
  type WantedNode,
} from '@silverlining/protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import { operation, SET, SmallSet, setOf } from '../../../../test/fakes/small-set.ts';
import { nodeRecord, release } from '../io/store/contract-records.ts';
import { deploy } from './deploy.ts';

const APP1: WantedNode = { name: 'app1', roles: ['appserver'] };
const APP2: WantedNode = { name: 'app2', roles: ['appserver'] };
const APP3: WantedNode = { name: 'app3', roles: ['appserver'] };
const BALANCER: WantedNode = { name: 'balancer', roles: ['balancer'] };

let small: SmallSet;
beforeEach(() => {
  small = new SmallSet();
});

/** A node cannot have the first release: its files are nowhere to be had any more. */
const lacksFirst = ({ instance }: { instance: string }) => ({
  missing: instance.endsWith('_001') ? 'AQ==' : '',
  free: 0,
});

describe('a store that was brought back from an older copy, whose release is gone', () => {
  const NEWER = 'blog.20260131_007';
  let here: { epoch: number; active: ActiveMap; instances: InstanceReport[] };
  let crashes: boolean;
  /** Instances that do not answer once they are switched to. */
  let sick: string;

  function stage({ instance }: { instance: string }) {
    if (crashes) throw new SlError('E_APP_CRASHED', 'it exited with 1');
    small.done.push(`stage ${instance}`);
    here.instances.push({ app: 'blog', instance, state: 'staged', digest: 'd'.repeat(64) });
    return { port: 1, ms: { received: 0, unpacked: 0, started: 0, healthy: 0 } };
  }

  beforeEach(async () => {
    [here, crashes, sick] = [{ epoch: 0, active: {}, instances: [] }, false, 'none'];
    await small.add(APP1, {
      stage,
      offer: (body) => (here.epoch < 7 ? { missing: '', free: 0 } : lacksFirst(body)),
      serving: () => {
        const instance = here.active.blog ?? '';
        return { ...here, apps: [{ app: 'blog', instance, healthy: !instance.endsWith(sick) }] };
      },
      switch: ({ epoch, active }) => {
        small.done.push(`switch to ${epoch}: ${Object.values(active).join(' ')}`);
        Object.assign(here, { epoch, active });
        return { epoch, at: small.clock.now() };
      },
    });
    await small.up([APP1]);
    // It was deployed to since, of which the store knows nothing any more.
    const instances = [{ app: 'blog', instance: NEWER, state: 'active' as const, digest: 'd'.repeat(64) }];
    here = { epoch: 7, active: { blog: NEWER }, instances };
    Object.assign(small.fleet.session('app1')?.hello ?? {}, here);
    await small.store.hearEpoch(SET, 7);
    small.version++;
    small.done.length = 0;
  });

  it('is not put in force: the deploy comes first, above what the node has', async () => {
    await small.up([APP1]);
    expect(small.done).toEqual([
      expect.stringMatching(/^stage .*_002$/),
      expect.stringMatching(/^switch to 8: .*_002$/),
    ]);
  });

  it('is not put in force either when the deploy fails: the node goes on with what it has', async () => {
    crashes = true;
    await expect(small.up([APP1])).rejects.toThrow('it exited with 1');
    expect(small.done).toEqual([]);
    expect(await small.store.set(SET)).toMatchObject({ epoch: 1 });
  });

  it('is not what a deploy is taken back to, but what the node had', async () => {
    sick = '_002';
    await expect(small.up([APP1])).rejects.toMatchObject({ error: { code: 'E_APP_UNHEALTHY' } });
    expect(small.done.at(-1)).toBe(`switch to 9: ${NEWER}`);
  });

  it('is not put in force, either, of an app that the file has no more', async () => {
    const gone = 'gone.20260101_001';
    await small.store.putRelease(release(SET, gone, { app: 'gone' }));
    const { token } = (await small.store.acquireLease(SET, 'test', 'op', 1)).lease;
    const { active } = (await small.store.set(SET)) ?? { active: {} };
    await small.store.commit({ set: SET, token, active: { ...active, gone }, deploys: [], now: 1 });
    await small.store.releaseLease(SET, token);
    Object.assign(here, { epoch: 9 });
    Object.assign(small.fleet.session('app1')?.hello ?? {}, here);
    expect(await small.up([APP1])).toMatchObject({ changes: 2 });
    expect(small.done.slice(1)).toEqual([expect.stringMatching(/^switch to 10: \S*_002$/)]);
  });

  it('takes no name or epoch twice in a deploy, though the node connects only then', async () => {
    const TODAY = 'blog.19700101_002';
    const { waitFor } = small.fleet;
    here.instances.push({ app: 'blog', instance: TODAY, state: 'stopped', digest: 'd'.repeat(64) });
    await small.store.putNode(nodeRecord(SET, 'app1', { roles: ['appserver'], lastSeen: 1 }));
    small.fleet.drop('app1');
    small.fleet.waitFor = async (uuid) => {
      small.fleet.reconnect(uuid, { epoch: 9 });
      return waitFor.call(small.fleet, uuid);
    };
    await small.passing(deploy(small.deps, operation(), { set: setOf([APP1]), apps: [] }));
    expect(small.done).toEqual([
      expect.stringMatching(/^stage .*_003$/),
      expect.stringMatching(/^switch to 10: .*_003$/),
    ]);
  });
});

describe('a node that loses its role', () => {
  const FORMER: WantedNode = { name: 'app2', roles: ['balancer'] };
  let isCut: boolean;
  beforeEach(async () => {
    isCut = false;
    const converge = () => {
      if (isCut) throw new SlError('E_NODE_DISCONNECTED', 'its agent was killed');
      return { reports: [] };
    };
    for (const node of [APP1, APP2]) await small.add(node);
    await small.add(BALANCER, { converge });
    await small.up([APP1, APP2, BALANCER]);
    small.version++;
    small.fleet.asked.length = 0;
  });

  const staged = () => small.fleet.asked.flatMap(({ type, uuid }) => (type === 'stage' ? [uuid] : [])).sort();

  it('takes part in a deploy that goes first: it is asked until the balancer knows', async () => {
    await small.add(APP3, { offer: lacksFirst });
    await small.up([APP1, FORMER, APP3, BALANCER]);
    expect(staged()).toEqual(['app1', 'app2', 'app3']);
  });

  it('is brought what is live, where it lost that', async () => {
    small.version = 1;
    small.lose('app2');
    await small.up([APP1, FORMER, BALANCER]);
    expect(staged()).toEqual(['app2']);
  });

  describe('and whose HAProxy cannot be had to run any more', () => {
    const FAILURE = new SlError('E_RESOURCE', 'HAProxy does not start');
    /** Balancers whose HAProxy does not run. */
    let broken: Set<string>;
    const THIRD: WantedNode = { name: 'third', roles: ['balancer'] };
    const withoutIt: WantedNode = { name: 'third', roles: ['appserver'] };

    beforeEach(async () => {
      broken = new Set();
      small = new SmallSet();
      await small.add(APP1);
      for (const node of [BALANCER, THIRD]) await small.add(node, answersOf(node));
      await small.up([APP1, BALANCER, THIRD]);
      small.version++;
      small.done.length = 0;
      broken.add('third');
    });

    function answersOf({ name }: WantedNode) {
      const fails = () => {
        if (broken.has(name)) throw FAILURE;
      };
      return {
        converge: (body: RequestBody<'converge'>) => {
          if (!body.resources.some((it) => it.type === 'former-unit' && it.name === 'haproxy.service')) fails();
          return { reports: [] };
        },
        traffic: () => {
          fails();
          return { releases: {}, stale: 0 };
        },
      };
    }

    it('does not hold up a deploy that goes first, where another balancer serves', async () => {
      await small.add(APP3, { offer: lacksFirst });
      const { deploys } = await small.up([APP1, APP3, BALANCER, withoutIt]);
      expect(deploys).toMatchObject([{ outcome: 'done' }]);
      const { topology } = (await small.store.set(SET)) ?? {};
      expect(topology?.nodes.find(({ name }) => name === 'third')?.roles).toEqual(['appserver']);
    });

    it('does not hold up what others take over, either', async () => {
      expect((await small.up([APP1, BALANCER, withoutIt])).deploys).toMatchObject([{ outcome: 'done' }]);
    });

    it('is mended where no other balancer serves', async () => {
      broken.add('balancer');
      await small.add(APP3, { offer: lacksFirst });
      await expect(small.up([APP1, APP3, BALANCER, withoutIt])).rejects.toThrow('HAProxy does not start');
      expect(small.done).not.toContain('switch app1');
    });
  });

  it('takes part in deploys after a run that was cut off before the balancer knew', async () => {
    isCut = true;
    await expect(small.up([APP1, FORMER, BALANCER])).rejects.toThrow('killed');
    await small.passing(deploy(small.deps, operation(), { set: setOf([APP1, FORMER, BALANCER]), apps: [] }));
    expect(staged()).toEqual(['app1', 'app2']);
  });
});
