/** The controller killed around the decision, and nodes that it cannot reach, under load. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeployResult } from '@silverlining/protocol';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stopController } from '../../packages/controller/src/client/daemon-process.ts';
import { readDaemonFile } from '../../packages/controller/src/io/daemon.ts';
import { findDirectories } from '../../packages/controller/src/io/directories.ts';
import { type FaultSet, POLL } from './support/fault-set.ts';
import { cut, heal } from './support/partition.ts';
import { sl, slJson } from './support/sl.ts';

export function describeControllerFaults(given: () => FaultSet): void {
  let set: FaultSet;

  beforeAll(() => {
    set = given();
  });

  const newest = async () => (await set.deploys()).deploys[0];

  /** Deploys with the controller killed at the failpoint; the id that `sl` says to attach to. */
  async function deployKilled(failpoint: string): Promise<string> {
    await set.armController(failpoint);
    const { code, error } = await set.deploy();
    expect([code, error?.code]).toEqual([1, 'E_CONTROLLER']);
    expect(error?.message).toMatch(/the controller ended in the middle of it/);
    await set.startController();
    return /sl deploy --attach (\S+)/.exec(error?.message ?? '')?.[1] ?? '';
  }

  describe('the controller killed', () => {
    beforeEach(settled);

    it('before the decision: nothing switches', async () => {
      const { live } = set;
      await set.underLoad(() => deployKilled('store.commit=kill'));
      const ended = await newest();
      expect(ended).toMatchObject({ outcome: 'aborted', state: 'ended' });
      set.gone.push(ended?.instance ?? '');
      await set.expectEverywhere(live);
    });

    it.each([
      ['with the decision on disk', 'store.commit.done=kill'],
      ['before the balancer is told', 'fleet.switch=kill'],
      ['when the balancer was told', 'fleet.switch@2=kill'],
      ['when all were told', 'fleet.switch.done@3=kill'],
    ])('%s: the next one goes on, and sl can attach to it', async (_when, failpoint) => {
      const deploys = await set.underLoad(async () => {
        const id = await deployKilled(failpoint);
        const attached = await slJson<DeployResult>(['deploy', '--attach', id]);
        await set.healthy();
        return attached.deploys;
      });
      expect(deploys).toEqual([expect.objectContaining({ outcome: 'done', previous: set.live })]);
      await set.expectEverywhere(deploys[0]?.instance ?? '');
    });
  });

  describe('the store', () => {
    it('that cannot write the decision: nothing switches', async () => {
      const { live } = set;
      await set.armController('store.commit=error');
      const { code, record } = await set.underLoad(() => set.deploy());
      expect([code, record?.outcome]).toEqual([1, 'aborted']);
      await set.expectEverywhere(live);
    });

    it('whose answer is lost is asked again: what is written is done', async () => {
      await set.armController('store.commit.done=error');
      const { code, record } = await set.underLoad(() => set.deploy());
      expect([code, record?.outcome]).toEqual([0, 'done']);
      await set.expectEverywhere(record?.instance ?? '');
    });
  });

  /** What agents went through before is none of the next test's time. */
  async function settled(): Promise<void> {
    await set.restartAgents();
    await set.healthy();
  }

  describe('the controller stopped in the middle of a deploy', () => {
    beforeEach(settled);

    it('gives it up, and calls nobody down when it is back', async () => {
      const { live } = set;
      await set.armAgent('app1', 'store.receive=sleep:3000');
      await set.underLoad(async () => {
        const running = set.deploy();
        await staging();
        process.kill(readDaemonFile(findDirectories().state)?.pid ?? 0, 'SIGTERM');
        const { code, error } = await running;
        expect([code, error?.code]).toEqual([1, 'E_ABORTED']);
        await expect.poll(() => readDaemonFile(findDirectories().state), POLL).toBeUndefined();
        await set.startController();
        const states = (await set.status()).nodes.map((it) => it.state);
        expect(states).not.toContain('down');
      });
      await set.expectEverywhere(live);
    });
  });

  async function staging(): Promise<void> {
    const states = async () => (await set.status()).apps.flatMap((it) => it.instances.map(({ state }) => state));
    await expect.poll(states, { ...POLL, interval: 100 }).toContain('staging');
  }

  describe('a damaged store', () => {
    it('keeps the controller from starting, which says how to restore it; apps serve on', async () => {
      const { state } = findDirectories();
      const file = join(state, 'store.sqlite');
      await set.underLoad(async () => {
        await stopController(state, { force: true });
        const whole = await readFile(file);
        await writeFile(file, whole.subarray(0, 1000));
        const { code, stdout } = await sl(['status', '-f', set.work.file, '--json']);
        expect(code).toBe(1);
        expect(JSON.parse(stdout).error).toMatchObject({
          code: 'E_CONTROLLER',
          details: {
            log: expect.arrayContaining([expect.stringMatching(/store\.sqlite is damaged .*To restore .*: mv /)]),
          },
        });
        await writeFile(file, whole);
        await set.startController();
        await set.restartAgents();
      });
      await set.expectEverywhere(set.live);
    });
  });

  describe('a network cut', () => {
    afterEach(async () => {
      await Promise.all([...set.nodes.values()].map(heal));
      await set.healthy();
    });

    it('while a node stages, in one direction: the silence ends the deploy', async () => {
      const { live } = set;
      await set.armAgent('app1', 'store.receive=sleep:3000');
      await set.underLoad(async () => {
        const running = set.deploy();
        await staging();
        await cut(set.node('app1'), 'controller', ['out']);
        const { code, record, error } = await running;
        expect([code, record?.outcome]).toEqual([1, 'aborted']);
        expect(error).toMatchObject({ code: 'E_NODE_DISCONNECTED', node: expect.stringMatching(/^app1\./) });
        expect(error?.message).toMatch(/silent for 25 s/);
        await heal(set.node('app1'));
        await set.expectEverywhere(live);
      });
    });

    it('between the vote and the decision: nothing is decided', async () => {
      const { live } = set;
      // Time for the cut, once all have voted: the last look is at both app servers.
      await set.armController('fleet.serving=sleep:3000,fleet.serving@2=sleep:3000');
      await set.underLoad(async () => {
        const running = set.deploy();
        await expect.poll(() => set.armedInController(), { ...POLL, interval: 100 }).toBe('');
        await cut(set.node('app1'), 'controller');
        const { code, record, error } = await running;
        expect([code, record?.outcome]).toEqual([1, 'aborted']);
        // The look waits for less long than silence has to last.
        expect(error).toMatchObject({ code: 'E_DEADLINE', node: expect.stringMatching(/^app1\./) });
        await heal(set.node('app1'));
        await set.restartAgents();
        await set.expectEverywhere(live);
      });
    });

    it('of app servers after the decision, and of the balancer as it answers: not known is not failed, and all catch up', async () => {
      await set.armController('fleet.switch=sleep:6000');
      await set.armAgent('balancer', 'handlers.switch.done=sleep:3000');
      await set.underLoad(async () => {
        const { live } = set;
        const running = set.deploy();
        await expect.poll(async () => (await newest())?.state, { ...POLL, interval: 100 }).toBe('committed');
        // The other one loses the controller alone, and serves what the balancer asks it for.
        await Promise.all([cut(set.node('app1'), 'all'), cut(set.node('app2'), 'controller')]);
        await expect.poll(() => set.release(), { ...POLL, interval: 100 }).not.toBe(live);
        await cut(set.node('balancer'), 'controller');
        const { code, record, error } = await running;
        expect([code, record?.outcome]).toEqual([1, 'done']);
        const names = JSON.stringify([error?.node, error?.message, error?.details]);
        for (const name of ['balancer.', 'app1.', 'app2.']) expect(names).toContain(name);
        await Promise.all([...set.nodes.values()].map(heal));
        await set.expectEverywhere(record?.instance ?? '');
      });
    });
  });
}
