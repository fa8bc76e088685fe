import { SlError } from '@silverlining/protocol';
import { beforeEach, expect, it } from 'vitest';
import { FakeFleet } from '../../../../test/fakes/fake-fleet.ts';
import { nodeRecord } from '../io/store/contract-records.ts';
import { requireReach } from './rollout-reach.ts';

const INSTANCE = 'blog.20260131_002';
const nodes = {
  appservers: [nodeRecord('shop', 'app1', { roles: ['appserver'] })],
  balancers: [nodeRecord('shop', 'balancer', { roles: ['balancer'] })],
  instances: [INSTANCE],
};
const { signal } = new AbortController();
let fleet: FakeFleet;
let state: 'staged' | 'active' | 'stopped';

beforeEach(() => {
  fleet = new FakeFleet();
  state = 'staged';
  const here = () => [{ app: 'blog', instance: INSTANCE, state, digest: 'd' }];
  fleet.connect('app1', { serving: () => ({ epoch: 1, active: {}, instances: here(), apps: [] }) });
  fleet.connect('balancer', { traffic: () => ({ releases: {}, stale: 0 }) });
});

const reach = () => requireReach(fleet, nodes, signal);

it('goes on when every balancer answers for its HAProxy, and every app server has what it staged or had', async () => {
  await reach();
  state = 'active';
  await reach();
  expect(fleet.asked.map(({ uuid, type }) => [uuid, type]).slice(0, 2)).toEqual([
    ['balancer', 'traffic'],
    ['app1', 'serving'],
  ]);
});

it('refuses when HAProxy does not answer', async () => {
  fleet.connect('balancer', { traffic: () => Promise.reject(new SlError('E_SWITCH', 'HAProxy does not run')) });
  await expect(reach()).rejects.toMatchObject({ code: 'E_SWITCH', message: 'HAProxy does not run' });
});

it('refuses when a node cannot be reached', async () => {
  fleet.drop('app1');
  await expect(reach()).rejects.toMatchObject({ code: 'E_DEADLINE', details: { node: 'app1.shop.internal' } });
});

it('refuses when a node lost what it staged', async () => {
  state = 'stopped';
  const message = expect.stringContaining(`staged ${INSTANCE}, but does not run it any more`);
  await expect(reach()).rejects.toMatchObject({ code: 'E_CONFLICT', message, details: { node: 'app1.shop.internal' } });
});
