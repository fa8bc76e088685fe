import { describe, expect, it } from 'vitest';
import { aSet } from '../../../../../test/builders/role-context.ts';
import { type ExistingMachine, type PlanInput, planUp, type RecordedNode } from './plan-up.ts';

const set = aSet(['app1: appserver', 'app2: appserver', 'lb: balancer']);

function record(short: string, more: Partial<RecordedNode> = {}): RecordedNode {
  return {
    uuid: `u-${short}`,
    name: `${short}.shop.internal`,
    roles: ['appserver'],
    state: 'enrolled',
    address: short,
    told: '',
    ...more,
  };
}

function machine(short: string, more: Partial<ExistingMachine> = {}): ExistingMachine {
  return { uuid: `u-${short}`, name: `${short}.shop.internal`, address: short, state: 'running', ...more };
}

function agents(...names: string[]): PlanInput['connected'] {
  return new Map(names.map((it) => [`u-${it}`, { takesOrders: true, update: undefined }]));
}

/** Everything is there, connected and deployed, unless told otherwise. */
function input(more: Partial<PlanInput> = {}): PlanInput {
  const names = ['app1', 'app2', 'lb'];
  return {
    set,
    records: names.map((it) => record(it)),
    providerNodes: names.map((it) => machine(it)),
    connected: agents(...names),
    topology: { current: 4, changes: false },
    apps: [{ name: 'main', active: 'main.20260101_001', changed: false, files: 3 }],
    goneApps: [],
    drift: new Map(),
    hosts: false,
    ...more,
  };
}

function steps(more: Partial<PlanInput>): string[] {
  return planUp(input(more)).steps.map(({ action, node, app }) =>
    [action, node?.split('.')[0] ?? app].join(' ').trim(),
  );
}

describe('the plan of sl up', () => {
  it('is empty when nothing differs', () => {
    expect(planUp(input())).toMatchObject({ changes: 0, steps: [] });
  });

  it('makes a new set from nothing, nodes first', () => {
    const plan = planUp(
      input({
        ...{ records: [], providerNodes: [], connected: agents(), hosts: true },
        topology: { current: undefined, changes: true },
        apps: [{ name: 'main', active: undefined, changed: true, files: 3 }],
      }),
    );
    expect(plan.steps.map((it) => it.action)).toEqual([
      ...['create-node', 'create-node', 'create-node', 'topology', 'deploy', 'workstation-hosts'],
    ]);
    expect(plan.changes).toBe(6);
    expect(plan.nodes.map((it) => it.exists)).toEqual([false, false, false]);
  });

  it('sets an agent up again that was given another signing key, or none', () => {
    const connected = new Map([
      ...agents('app1', 'lb'),
      ['u-app2', { takesOrders: false, update: '0.1.0 -> 0.2.0' }] as const,
    ]);
    expect(planUp(input({ connected })).steps).toEqual([
      {
        ...{ action: 'bootstrap', node: 'app2.shop.internal' },
        summary: "set up the agent on app2.shop.internal (it does not have this controller's signing key)",
      },
    ]);
  });

  it('sets an agent up again that was told another address of the controller', () => {
    const controller = { listen: '443' };
    const summary =
      'set up the agent on lb.shop.internal (it was told another url or listen than those of [controller])';
    const records = [record('app1', { told: ':443' }), record('app2', { told: undefined }), record('lb')];
    expect(planUp(input({ records, set: { ...set, controller } })).steps).toMatchObject([{ summary }]);
  });

  it('updates an agent of another bundle', () => {
    const connected = new Map([
      ...agents('app1', 'lb'),
      ['u-app2', { takesOrders: true, update: '0.1.0 -> 0.2.0' }] as const,
    ]);
    expect(planUp(input({ connected }))).toMatchObject({
      changes: 1,
      steps: [{ action: 'update-agent', summary: 'update the agent on app2.shop.internal (0.1.0 -> 0.2.0)' }],
    });
  });

  it('starts what is stopped, and puts an agent where none answers', () => {
    expect(steps({ providerNodes: [machine('app1', { state: 'stopped' }), machine('app2'), machine('lb')] })).toEqual([
      'start-node app1',
    ]);
    expect(steps({ connected: agents('app1', 'lb') })).toEqual(['bootstrap app2']);
    expect(steps({ records: [record('app1', { state: 'created' }), record('app2'), record('lb')] })).toEqual([
      'bootstrap app1',
    ]);
  });

  it('adopts a node that was created under its UUID, whatever its name says', () => {
    expect(steps({ providerNodes: [machine('app1', { name: 'vm-17' }), machine('app2'), machine('lb')] })).toEqual([]);
  });

  it('scales down from the highest number, app servers drained before they go', () => {
    const extra = ['app3', 'app10', 'db'].map((it) =>
      record(it, { roles: [it === 'db' ? 'service:mysql' : 'appserver'] }),
    );
    expect(steps({ records: [...input().records, ...extra] })).toEqual([
      ...['destroy-node db', 'drain-node app10', 'destroy-node app10', 'drain-node app3', 'destroy-node app3'],
    ]);
  });

  it('destroys no machine of the user', () => {
    const summary = (keepsMachines: boolean) => {
      const records = [...input().records, record('db', { roles: ['service:mysql'] })];
      return planUp(input({ records, keepsMachines })).steps.map((it) => it.summary);
    };
    expect(summary(false)).toEqual(['destroy db.shop.internal and all it holds']);
    expect(summary(true)).toEqual(['hand db.shop.internal back as it was, packages and databases aside']);
  });

  it('names drift, changed apps and apps that are gone', () => {
    expect(steps({ drift: new Map([['u-lb', 2]]) })).toEqual(['converge lb']);
    expect(steps({ goneApps: ['old'] })).toEqual(['remove-app old']);
    expect(steps({ apps: [{ name: 'main', active: 'main.20260101_001', changed: true, files: 3 }] })).toEqual([
      'deploy main',
    ]);
  });
});
