import { describe, expect, it } from 'vitest';
import { operation, SmallSet, setOf } from '../../../../test/fakes/small-set.ts';
import { planSet } from './plan.ts';
import { up } from './up.ts';

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

it('names the file that made the set, where that is another one', async () => {
  const small = new SmallSet();
  await small.add({ name: 'app1', roles: ['appserver'] });
  const set = setOf([{ name: 'app1', roles: ['appserver'] }]);
  const formerOf = async (file: string, deps = small.deps) =>
    (await planSet(deps, { set: { ...set, file }, deep: false }, new AbortController().signal)).formerFile;
  expect(await formerOf(set.file)).toBeUndefined();
  expect(await formerOf('/srv/other/silver.ini')).toBe(set.file);
  const moved = { ...small.deps, isAnotherFile: async () => false };
  expect(await formerOf('/srv/other/silver.ini', moved)).toBeUndefined();
});

describe('a database that moves', () => {
  it.each([
    ['to a server that there is', 'app1'],
    ['to one that is yet to be made', 'db2'],
  ])('%s has its app deployed', async (_, home) => {
    const small = new SmallSet();
    const wanted = (node: string) => {
      const roles = new Map([['app1', ['appserver']]]);
      roles.set(node, [...(roles.get(node) ?? []), 'service:mysql']);
      const set = setOf([...roles].map(([name, its]) => ({ name, roles: its })));
      const apps = set.apps.map((app) => ({ ...app, services: { mysql: '' } }));
      return { ...set, apps, services: [{ name: 'mysql', options: {} }] };
    };
    const before = wanted('db1');
    for (const { name, roles } of before.nodes) await small.add({ name, roles });
    await small.passing(up(small.deps, operation(), { set: before, installHostPackages: false }));
    const changed = async (set: typeof before) => {
      const plan = await planSet(small.deps, { set, deep: false }, new AbortController().signal);
      return plan.steps.filter((it) => it.action === 'deploy').length;
    };
    expect(await changed(before)).toBe(0);
    expect(await changed(wanted(home))).toBe(1);
  });
});
