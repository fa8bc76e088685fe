/** A set of one app server that is settled after its operations, in a time that tests move. */
import { beforeEach } from 'vitest';
import { createSettler, type Settler } from '../../packages/controller/src/app/settler.ts';
import type { Failing } from '../../packages/controller/src/app/watch.ts';
import { deploy, nodeRecord, release, serverSet } from '../../packages/controller/src/io/store/contract-records.ts';
import type { Store } from '../../packages/controller/src/ports.ts';
import type { DeployRecord } from '../../packages/protocol/src/index.ts';
import { FakeFleet } from './fake-fleet.ts';
import { ManualClock } from './manual-clock.ts';
import { memoryStore } from './memory-store.ts';

export const SET = 'shop';
export let store: Store;
export let fleet: FakeFleet;
export let clock: ManualClock;
export let settler: Settler;
export let stop: AbortController;
/** What the settler asked to be taken back. */
export let failing: Failing[];

/** To be called once in a file, before its tests: each gets all of this anew. */
export function useSettling(): void {
  beforeEach(async () => {
    [store, fleet, clock, stop] = [memoryStore(), new FakeFleet(), new ManualClock(), new AbortController()];
    const log = { info: () => undefined, warn: () => undefined };
    failing = [];
    settler = createSettler({ store, fleet, clock, log }, stop.signal, (_set, it) => failing.push(it));
    await store.putSet(SET, serverSet(SET));
    await store.putNode(nodeRecord(SET, 'app1', { roles: ['appserver'] }));
    fleet.connect('app1', { settle: () => ({ stopped: [], removed: [] }) });
  });
}

/** Commits a release as a rollout does, and ends the deploy with what is to be said of it. */
export async function commit(instance: string, said: Partial<DeployRecord> = {}): Promise<void> {
  const { lease } = await store.acquireLease(SET, 'test', instance, clock.now());
  await store.putRelease(release(SET, instance, { createdAt: clock.now() }));
  const row = deploy(SET, instance, instance, { startedAt: clock.now() });
  await store.putDeploy(row);
  const decision = { set: SET, token: lease.token, active: { blog: instance }, deploys: [instance], now: clock.now() };
  await store.commit(decision);
  await store.putDeploy({ ...row, state: 'ended', record: { ...row.record, outcome: 'done', ...said } });
  await store.releaseLease(SET, lease.token);
  await clock.advance(1000);
}

export const switched = () => ({ epoch: 2, at: clock.now() });

export async function addBalancer(answer: () => unknown = switched): Promise<void> {
  await store.putNode(nodeRecord(SET, 'balancer', { roles: ['balancer'] }));
  fleet.connect('balancer', { switch: answer });
}
