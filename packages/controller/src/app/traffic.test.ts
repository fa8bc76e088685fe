import { SlError } from '@silverlining/protocol';
import { expect, it } from 'vitest';
import { FakeFleet } from '../../../../test/fakes/fake-fleet.ts';
import { nodeRecord } from '../io/store/contract-records.ts';
import { countTraffic } from './traffic.ts';

const log = { info: () => undefined, warn: () => undefined };
const [OLD, NEW] = ['blog.20260131_001', 'blog.20260131_002'];

type Counted = Record<string, { requests: number; failed: number }>;

/** A balancer that answers with each of these in turn. */
function balancer(fleet: FakeFleet, uuid: string, replies: { releases: Counted; stale: number }[]) {
  const left = [...replies];
  fleet.connect(uuid, { traffic: () => left.shift() ?? Promise.reject(new SlError('E_SWITCH', 'HAProxy is gone')) });
  return nodeRecord('shop', uuid, { roles: ['balancer'] });
}

it('counts what came since it began, over all balancers', async () => {
  const fleet = new FakeFleet();
  const nodes = [
    balancer(fleet, 'a', [
      { releases: { [OLD]: { requests: 100, failed: 7 } }, stale: 3 },
      { releases: { [OLD]: { requests: 140, failed: 8 }, [NEW]: { requests: 5, failed: 0 } }, stale: 0 },
    ]),
    balancer(fleet, 'b', [
      { releases: {}, stale: 0 },
      { releases: { [NEW]: { requests: 2, failed: 1 } }, stale: 4 },
    ]),
  ];
  const counted = countTraffic({ fleet, log }, nodes);
  expect(await counted()).toEqual({
    releases: { [OLD]: { requests: 40, failed: 1 }, [NEW]: { requests: 7, failed: 1 } },
    failed: 2,
    stale: 4,
  });
});

it('leaves out releases that nobody asked for any more, and takes a reload of the balancer for a new start', async () => {
  const fleet = new FakeFleet();
  const before = { [OLD]: { requests: 100, failed: 7 }, [NEW]: { requests: 50, failed: 2 } };
  const after = { [OLD]: { requests: 100, failed: 7 }, [NEW]: { requests: 9, failed: 1 } };
  const node = balancer(fleet, 'a', [
    { releases: before, stale: 0 },
    { releases: after, stale: 0 },
  ]);
  const counted = countTraffic({ fleet, log }, [node]);
  expect(await counted()).toEqual({ releases: { [NEW]: { requests: 9, failed: 1 } }, failed: 1, stale: 0 });
});

it('says nothing where nobody counted', async () => {
  const fleet = new FakeFleet();
  expect(await countTraffic({ fleet, log }, [])()).toBeUndefined();
  expect(await countTraffic({ fleet, log }, [balancer(fleet, 'a', [{ releases: {}, stale: 0 }])])()).toBeUndefined();
});
