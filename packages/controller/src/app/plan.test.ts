import { describe, expect, it } from 'vitest';
import { SmallSet, setOf } from '../../../../test/fakes/small-set.ts';
import { planSet } from './plan.ts';

const LINES = ['192.0.2.1 app1'];

describe('/etc/hosts of the workstation in the plan of a new set', () => {
  it.each([
    ['is changed', { setEtcHosts: true, writable: true, current: [] }, true],
    ['is not changed by set_etc_hosts = false', { setEtcHosts: false, writable: true, current: [] }, false],
    ['is rid of lines of an earlier run', { setEtcHosts: false, writable: true, current: LINES }, true],
    ['is not changed where it cannot be', { setEtcHosts: true, writable: false, current: [] }, false],
  ])('%s', async (_, { setEtcHosts, writable, current }, expected) => {
    const { deps } = new SmallSet();
    const hosts = { write: async () => false, current: async () => current, writable: async () => writable };
    const set = { ...setOf([{ name: 'app1', roles: ['appserver'] }]), setEtcHosts };
    const plan = await planSet({ ...deps, hosts }, { set, deep: false }, new AbortController().signal);
    expect(plan.steps.some((it) => it.action === 'workstation-hosts')).toBe(expected);
  });
});
