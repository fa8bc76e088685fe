import type { ServerSet } from '@silverlining/protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import { operation, SmallSet } from '../../../../test/fakes/small-set.ts';
import { HostsProvider } from '../io/provider/index.ts';
import { nodeRecord, serverSet } from '../io/store/contract-records.ts';
import type { ControllerDeps } from './deps.ts';
import { planSet } from './plan.ts';
import { up } from './up.ts';

const THEIRS = 'web.theirs.internal 192.0.2.7 port=2201';
const signal = new AbortController().signal;

let small: SmallSet;
let deps: ControllerDeps;
beforeEach(async () => {
  small = new SmallSet();
  deps = { ...small.deps, providerFor: ({ provider }) => new HostsProvider(provider.options) };
  await small.store.putSet('theirs', setOf('theirs', THEIRS));
  await small.store.putNode(nodeRecord('theirs', 'web', { address: '192.0.2.7' }));
});

/** A set of machines that are all app servers. */
function setOf(name: string, ...hosts: string[]): ServerSet {
  const nodes = hosts.map((it) => ({ name: it.split(' ')[0] ?? '', roles: ['appserver'] }));
  const provider = { driver: 'hosts', options: { hosts: hosts.join('\n') } };
  return { ...serverSet(name), setEtcHosts: false, provider, nodes, apps: [], locations: [] };
}

const plan = (...hosts: string[]) => planSet(deps, { set: setOf('ours', ...hosts), deep: false }, signal);

describe('a machine that is a node of another set', () => {
  it('is not taken from it', async () => {
    const text =
      'app1.ours.internal (192.0.2.7) is web.theirs.internal of the set theirs. A machine is in one set at a time';
    const refused = { code: 'E_CONFLICT', message: expect.stringContaining(text) };
    await expect(plan('app1.ours.internal 192.0.2.7 port=2201', 'app2.ours.internal 192.0.2.8')).rejects.toMatchObject(
      refused,
    );
    const set = setOf('ours', 'app1.ours.internal 192.0.2.7 port=2201');
    await expect(up(deps, operation(), { set, installHostPackages: false })).rejects.toMatchObject(refused);
    expect(await small.store.set('ours')).toBeUndefined();
  });

  it('is another one where it is reached through another port', async () => {
    expect((await plan('app1.ours.internal 192.0.2.7 port=2202')).steps).toHaveLength(2);
  });

  it('is free when it was never set up there, or that set is gone', async () => {
    await small.store.putNode(nodeRecord('theirs', 'web', { address: '192.0.2.7', state: 'created' }));
    expect((await plan('app1.ours.internal 192.0.2.7 port=2201')).steps).toHaveLength(2);
    await small.store.putNode(nodeRecord('theirs', 'web', { address: '192.0.2.7' }));
    await small.store.deleteSet('theirs');
    expect((await plan('app1.ours.internal 192.0.2.7 port=2201')).steps).toHaveLength(2);
  });

  it('is looked for in no set whose provider an earlier version took otherwise', async () => {
    await small.store.putSet('older', setOf('older', 'web.older.internal web.example.com'));
    expect((await plan('app1.ours.internal 192.0.2.8')).steps).toHaveLength(2);
  });

  it('stays where it is when two sets have had it', async () => {
    await small.store.putSet('ours', setOf('ours', 'app1.ours.internal 192.0.2.7 port=2201'));
    await small.store.putNode(nodeRecord('ours', 'app1', { address: '192.0.2.7' }));
    small.fleet.connect('app1', {}, { trust: { key: 'ours', challenge: 'c' } });
    expect((await plan('app1.ours.internal 192.0.2.7 port=2201')).steps.map((it) => it.action)).not.toContain(
      'bootstrap',
    );
  });
});
