import { type RequestBody, type ServerSet, SlError, type WantedNode } from '@silverlining/protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import { operation, SET, SmallSet, setOf } from '../../../../test/fakes/small-set.ts';
import { APP } from '../io/store/contract-records.ts';
import { rollback } from './rollback.ts';
import { up } from './up.ts';

const APP1: WantedNode = { name: 'app1', roles: ['appserver'] };
const APP2: WantedNode = { name: 'app2', roles: ['appserver'] };
const withMysql = (node: WantedNode): WantedNode => ({ ...node, roles: [...node.roles, 'service:mysql'] });
const OLD = [withMysql(APP1), APP2];
const NEW = [APP1, withMysql(APP2)];

let small: SmallSet;
beforeEach(async () => {
  small = new SmallSet();
  for (const node of OLD) await small.add(node);
  await upWith(OLD);
  small.fleet.asked.length = 0;
});

function upWith(nodes: WantedNode[], more: Partial<ServerSet> = {}, op = operation()) {
  const apps = [{ ...APP, services: { mysql: '' } }];
  const set = { ...setOf(nodes), apps, services: [{ name: 'mysql', options: {} }], ...more };
  return small.passing(up(small.deps, op, { set, installHostPackages: false }));
}

/** What became of the database, and when the app was switched. */
function steps(): string[] {
  const all = small.fleet.asked.flatMap(({ uuid, type, body }) => {
    if (type === 'stage') {
      const { env } = (body as RequestBody<'stage'>).spec;
      return [`app uses ${env.CONFIG_MYSQL_HOST}`];
    }
    if (type === 'switch') return ['switch'];
    if (type !== 'converge') return [];
    const { resources } = body as RequestBody<'converge'>;
    const ends = resources.some((it) => it.type === 'former-unit' && it.name === 'mariadb.service');
    return [`${uuid} ${ends ? 'has none' : 'has it'}`];
  });
  return all.filter((it, i) => it !== all[i - 1]);
}

describe('a service that moves between nodes that stay', () => {
  it('stops at its old place when the apps use the new one', async () => {
    await upWith(NEW);
    expect(steps()).toEqual(['app1 has it', 'app2 has it', 'app uses 192.0.2.2', 'switch', 'app1 has none']);
    expect((await small.store.set(SET))?.topology).toMatchObject({
      nodes: NEW,
      services: [{ name: 'mysql', nodes: ['app2'] }],
    });
    small.fleet.asked.length = 0;
    expect(await upWith(NEW)).toMatchObject({ changes: 0 });
    expect(steps()).toEqual(['app1 has none', 'app2 has it']);
  });

  it('goes on at its old place when the deploy fails, also through the next run', async () => {
    small.crashing.add('app2');
    await expect(upWith(NEW)).rejects.toMatchObject({ error: { code: 'E_APP_CRASHED' } });
    await expect(upWith(NEW)).rejects.toMatchObject({ error: { code: 'E_APP_CRASHED' } });
    expect(steps()).not.toContain('app1 has none');
    small.crashing.clear();
    await upWith(NEW);
    expect(steps().slice(-3)).toEqual(['app uses 192.0.2.2', 'switch', 'app1 has none']);
  });

  it('goes on at its old place when the apps go back to that by themselves', async () => {
    const [before, after] = ['blog.19700101_001', 'blog.19700101_002'];
    small.looping.add(after);
    await expect(upWith(NEW)).rejects.toMatchObject({ error: { code: 'E_APP_CRASHED' } });
    expect(steps()).not.toContain('app1 has none');
    expect((await small.store.set(SET))?.active).toEqual({ blog: before });
    expect((await small.store.deploys(SET)).at(-1)?.record).toMatchObject({ outcome: 'rolled-back' });
    small.looping.clear();
    await upWith(NEW);
    expect(steps().slice(-3)).toEqual(['app uses 192.0.2.2', 'switch', 'app1 has none']);
  });

  it('goes on when the next file has it where it was', async () => {
    small.crashing.add('app2');
    await expect(upWith(NEW)).rejects.toMatchObject({ error: { code: 'E_APP_CRASHED' } });
    small.fleet.asked.length = 0;
    expect(await upWith(OLD)).toMatchObject({ deploys: [] });
    expect(steps()).toEqual(['app1 has it', 'app2 has it', 'app2 has none']);
  });

  it('is said to wait for what was switched to, and only where that is watched', async () => {
    const actions: string[] = [];
    const op = operation(({ action }) => actions.push(action));
    small.crashing.add('app2');
    await expect(upWith(NEW)).rejects.toMatchObject({ error: { code: 'E_APP_CRASHED' } });
    small.crashing.clear();
    // Nobody looks at what has been live for so long.
    await small.clock.advance(600_000);
    expect(await upWith(OLD, {}, op)).toMatchObject({ deploys: [] });
    expect(steps().slice(-1)).toEqual(['app2 has none']);
    expect(actions).not.toContain('watch');
    await upWith(NEW, {}, op);
    expect(actions).toContain('watch');
  });

  it('stops after a deploy that has to go first, too', async () => {
    const offer = ({ instance }: { instance: string }) => ({
      missing: instance.endsWith('_001') ? 'AQ==' : '',
      free: 0,
    });
    const APP3: WantedNode = { name: 'app3', roles: ['appserver'] };
    await small.add(APP3, { offer });
    small.version++;
    await upWith([...NEW, APP3]);
    const all = steps();
    expect(all.indexOf('app1 has none')).toBeGreaterThan(all.lastIndexOf('switch'));
  });
});

describe('a service on a node that goes', () => {
  const db1: WantedNode = { name: 'db1', roles: ['service:mysql'] };
  const db2: WantedNode = { name: 'db2', roles: ['service:mysql'] };
  const hosts: string[] = [];
  let isBroken: boolean;

  beforeEach(async () => {
    [small, isBroken] = [new SmallSet(), false];
    await small.add(APP1);
    const converge = ({ resources }: RequestBody<'converge'>) => {
      if (isBroken) throw new SlError('E_RESOURCE', 'its disk is full');
      hosts.push(...resources.flatMap((it) => (it.type === 'mysql-database' ? it.hosts : [])));
      small.done.push('db1 lets in');
      return { reports: [] };
    };
    await small.add(db1, { converge });
    await upWith([APP1, db1]);
    for (const node of [APP2, db2]) await small.add(node);
    for (const list of [hosts, small.done]) list.splice(0);
  });

  it('lets a new app server in, which gets what is live first', async () => {
    await upWith([APP1, APP2, db2]);
    expect(hosts).toEqual(['192.0.2.1', '192.0.2.3']);
    expect(small.done.slice(0, 2)).toEqual(['db1 lets in', expect.stringMatching(/^stage .*_001$/)]);
  });

  it('does not hold up its own end when it is broken', async () => {
    isBroken = true;
    const warned: unknown[] = [];
    const op = operation(({ status, node }) => status === 'warning' && warned.push(node));
    expect(await upWith([APP1, db2], {}, op)).toMatchObject({ deploys: [{ outcome: 'done' }] });
    expect(warned).toEqual(['db1']);
    expect(small.done).toContain('destroy db1');
  });
});

describe('going back to a release of before a service moved', () => {
  const back = () => small.passing(rollback(small.deps, { ...operation(), operationId: 'back-1' }, { set: SET }));

  it('is refused once the service has stopped where that looks for it', async () => {
    await upWith(NEW);
    small.fleet.asked.length = 0;
    await expect(back()).rejects.toMatchObject({
      code: 'E_SERVICE',
      message: expect.stringMatching(/blog.19700101_001 .* mysql/),
    });
    expect(steps()).toEqual([]);
  });

  it.each([
    ['CONFIG_MYSQL_HOST', 'db.example'],
    ['CONFIG_MYSQL_URL', 'mysql://blog@db.example/blog'],
    ['CONFIG_MYSQL_SQLALCHEMY', 'mysql://blog@db.example/blog'],
  ])('is done where the file itself says in %s which host the app uses', async (variable, value) => {
    const apps = [{ ...APP, services: { mysql: '' }, env: { [variable]: value } }];
    await upWith(OLD, { apps });
    await upWith(NEW, { apps });
    expect(await back()).toMatchObject({ deploys: [{ outcome: 'done', instance: 'blog.19700101_002' }] });
  });

  it('is done while the service runs at both places', async () => {
    const stop = new AbortController();
    const emit = ({ action }: { action: string }) =>
      action === 'watch' && stop.abort(new SlError('E_ABORTED', 'Ctrl-C'));
    const cut = upWith(NEW, {}, { ...operation(emit), signal: stop.signal });
    await expect(cut).rejects.toMatchObject({ error: { code: 'E_ABORTED' } });
    expect(await back()).toMatchObject({ deploys: [{ outcome: 'done', instance: 'blog.19700101_001' }] });
  });

  it('is done while a node that is to go still has the service', async () => {
    const DB1: WantedNode = { name: 'db1', roles: ['service:mysql'] };
    await small.add(DB1);
    await upWith([APP1, APP2, DB1]);
    small.version++;
    await upWith([APP1, APP2, DB1]);
    small.version++;
    small.crashing.add('app2');
    const failing = upWith(NEW, {}, { ...operation(), operationId: 'up-2' });
    await expect(failing).rejects.toMatchObject({ error: { code: 'E_APP_CRASHED' } });
    expect(small.done).not.toContain('destroy db1');
    small.crashing.clear();
    expect(await back()).toMatchObject({ deploys: [{ outcome: 'done', instance: 'blog.19700101_002' }] });
  });
});

it('a service that no app uses any more stops when the apps do without it, on a node that stays', async () => {
  await upWith([APP1, APP2], { apps: [APP], services: [] });
  expect(steps()).toEqual(['app1 has it', 'app2 has none', 'app uses undefined', 'switch', 'app1 has none']);
});
