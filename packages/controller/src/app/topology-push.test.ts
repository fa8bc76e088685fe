import { SlError } from '@silverlining/protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import { FakeFleet } from '../../../../test/fakes/fake-fleet.ts';
import { nodeRecord, topology } from '../io/store/contract-records.ts';
import { pushTo } from './topology-push.ts';

const [previous, next] = [topology('demo', 4), topology('demo', 5)];
const nodes = [nodeRecord('demo', 'app1')];
const push = (fleet: FakeFleet, before = previous) =>
  pushTo({ fleet }, nodes, { topology: next, previous: before, signal: new AbortController().signal });
const acknowledge = () => ({ generation: 5 });
const asked = (fleet: FakeFleet) => fleet.asked.map((it) => it.type);

describe('a new topology', () => {
  let fleet: FakeFleet;
  beforeEach(() => {
    fleet = new FakeFleet();
  });

  it('is told as what differs to a node that has the one before', async () => {
    fleet.connect('app1', { 'topology-change': acknowledge }, { generation: 4 });
    await push(fleet);
    expect(fleet.bodies('topology-change')).toMatchObject([{ base: 4, generation: 5 }]);
  });

  it('is told as a whole to one that has another', async () => {
    fleet.connect('app1', { topology: acknowledge }, { generation: 3 });
    await push(fleet);
    expect(fleet.bodies('topology')).toEqual([{ topology: next }]);
  });

  it.each(['E_UNKNOWN_TYPE', 'E_CONFLICT'] as const)('is told as a whole to one that answers %s', async (code) => {
    const refuse = () => {
      throw new SlError(code, 'not like this');
    };
    fleet.connect('app1', { 'topology-change': refuse, topology: acknowledge }, { generation: 4 });
    await push(fleet);
    expect(asked(fleet)).toEqual(['topology-change', 'topology']);
  });

  it('that a node cannot take is an error', async () => {
    const full = () => {
      throw new SlError('E_STORE', 'disk full');
    };
    fleet.connect('app1', { 'topology-change': full }, { generation: 4 });
    await expect(push(fleet)).rejects.toMatchObject({ code: 'E_STORE' });
  });
});
