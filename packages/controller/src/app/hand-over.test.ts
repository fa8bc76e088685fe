import { type RequestBody, SlError, type WantedNode } from '@silverlining/protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import { SET, SmallSet } from '../../../../test/fakes/small-set.ts';

const BOTH: WantedNode = { name: 'app1', roles: ['appserver', 'balancer'] };
const APP1: WantedNode = { name: 'app1', roles: ['appserver'] };
const APP2: WantedNode = { name: 'app2', roles: ['appserver'] };
const BALANCER: WantedNode = { name: 'balancer', roles: ['balancer'] };
const HAPROXY = 'haproxy.service';

let small: SmallSet;
beforeEach(() => {
  small = new SmallSet();
});

/** What nodes were made, in order, as far as it concerns the balancers. */
function steps(): string[] {
  return small.fleet.asked.flatMap(({ uuid, type, body }) => {
    if (type !== 'converge') return [];
    const { resources } = body as RequestBody<'converge'>;
    const ends = resources.some((it) => it.type === 'former-unit' && it.name === HAPROXY);
    const site = resources.find((it) => it.type === 'file' && it.path.endsWith('sites-available/silverlining.conf'));
    const hears = site?.type === 'file' ? site.content.match(/(?<=RemoteIPInternalProxy )\S+/g) : undefined;
    return [`${uuid}${ends ? '' : ' balances'}${hears == null ? '' : ` behind ${hears.join(' ')}`}`];
  });
}

describe('a balancer that moves from an app server to a node of its own', () => {
  let hasHaproxy: boolean;
  beforeEach(async () => {
    hasHaproxy = false;
    for (const node of [BOTH, APP2]) await small.add(node);
    await small.up([BOTH, APP2]);
    const backends = () => ({ up: { app1: hasHaproxy, app2: hasHaproxy } });
    await small.add(BALANCER, { backends });
    small.fleet.asked.length = 0;
  });

  it('serves there before it stops, and app servers let both in until then', async () => {
    hasHaproxy = true;
    await small.up([APP1, APP2, BALANCER]);
    const [both, alone] = ['behind 192.0.2.1 192.0.2.3', 'behind 192.0.2.3'];
    expect(steps()).toEqual([
      `app2 ${both}`,
      ...[`app1 balances ${both}`, 'balancer balances', 'balancer balances'],
      ...[`app1 ${alone}`, `app2 ${alone}`],
    ]);
  });

  it('goes on where it is while the new one serves nobody, and stops with the next run', async () => {
    await expect(small.up([APP1, APP2, BALANCER])).rejects.toMatchObject({ code: 'E_APP_UNHEALTHY' });
    expect(steps().filter((it) => it.startsWith('app1'))).toEqual(['app1 balances behind 192.0.2.1 192.0.2.3']);
    hasHaproxy = true;
    await small.up([APP1, APP2, BALANCER]);
    expect(steps().at(-1)).toBe('app2 behind 192.0.2.3');
    small.fleet.asked.length = 0;
    expect(await small.up([APP1, APP2, BALANCER])).toMatchObject({ changes: 0 });
    expect(steps()).toEqual(['app1 behind 192.0.2.3', 'app2 behind 192.0.2.3', 'balancer balances']);
  });
});

it('a balancer goes on where it was until the others know of it, also after a run that is cut off right before', async () => {
  const THIRD: WantedNode = { name: 'third', roles: ['balancer'] };
  let [isCut, isFirst] = [false, true];
  const cut = () => {
    if (isCut) throw new SlError('E_NODE_DISCONNECTED', 'the controller was killed');
    return { reports: [] };
  };
  for (const node of [BOTH, APP2]) await small.add(node);
  await small.add(THIRD, { converge: cut });
  await small.up([BOTH, APP2, THIRD]);
  // From when the new one is asked whether it serves: what follows is the hand-over.
  const backends = () => {
    isCut = isFirst;
    return { up: { app1: true, app2: true } };
  };
  await small.add(BALANCER, { backends });
  await expect(small.up([APP1, APP2, THIRD, BALANCER])).rejects.toThrow('killed');
  // No node goes by roles that the controller does not know of.
  const told = [...small.fleet.bodies('topology').map((it) => it.topology), ...small.fleet.bodies('topology-change')];
  const { topology } = (await small.store.set(SET)) ?? {};
  expect(Math.max(...told.map((it) => it.generation))).toBe(topology?.generation);
  expect(topology?.nodes[0]?.roles).toContain('balancer');
  [isCut, isFirst] = [false, false];
  small.fleet.asked.length = 0;
  await small.up([APP1, APP2, THIRD, BALANCER]);
  const ends = steps().findIndex((it) => it.startsWith('app1 behind'));
  expect(ends).toBeGreaterThan(steps().findIndex((it) => it.startsWith('third balances')));
  expect(steps()[0]).not.toBe('app1 behind 192.0.2.3 192.0.2.4');
});

it('an agent of an earlier version is not asked for what it does not know', async () => {
  const asked = () => small.fleet.bodies('converge').flatMap(({ resources }) => resources.map((it) => it.type));
  await small.add(APP1);
  await small.up([APP1]);
  expect(asked()).toEqual(expect.arrayContaining(['former-unit', 'command']));
  small.fleet.asked.length = 0;
  const session = small.fleet.session('app1');
  if (session !== undefined) Object.assign(session.hello, { formerUnits: undefined, packageGuards: undefined });
  await small.up([APP1]);
  expect(asked()).toContain('unit');
  expect(asked()).not.toContain('former-unit');
  expect(asked()).not.toContain('command');
});
