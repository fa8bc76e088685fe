/** Nodes that are switched off, full, or live in another time, under load. */
import { randomBytes } from 'node:crypto';
import { exec } from '@silverlining/system';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stopController } from '../../packages/controller/src/client/daemon-process.ts';
import { findDirectories } from '../../packages/controller/src/io/directories.ts';
import { type FaultSet, POLL } from './support/fault-set.ts';

export function describeNodeFaults(given: () => FaultSet): void {
  let set: FaultSet;

  beforeAll(() => {
    set = given();
  });

  describe('a node switched off', () => {
    it('while it stages: nothing switches, and it comes up with what was live', async () => {
      const { live } = set;
      await set.armAgent('app1', 'store.receive=sleep:5000');
      await set.underLoad(async () => {
        const running = set.deploy();
        await expect.poll(staging, { ...POLL, interval: 100 }).toBe(true);
        await set.node('app1').powerOff();
        const { code, record, error } = await running;
        expect([code, record?.outcome, error?.code]).toEqual([1, 'aborted', 'E_NODE_DISCONNECTED']);
        expect(error?.node).toMatch(/^app1\./);
        await set.node('app1').powerOn();
        await set.expectEverywhere(live);
      });
    });

    it('between its vote and the switch: it comes up with what was decided meanwhile', async () => {
      await set.armController('fleet.switch=sleep:3000');
      await set.underLoad(async () => {
        const running = set.deploy();
        await expect.poll(decided, { ...POLL, interval: 100 }).toBe(true);
        await set.node('app1').powerOff();
        await set.node('app1').powerOn();
        const { record } = await running;
        expect(record?.outcome).toBe('done');
        await set.expectEverywhere(record?.instance ?? '');
      });
    });
  });

  async function staging(): Promise<boolean> {
    const { apps } = await set.status();
    return apps.some((it) => it.instances.some(({ state }) => state === 'staging'));
  }

  describe('a slow link to one node', () => {
    const shape = (change: string) => {
      const { hostInterface } = set.node('app1');
      return exec(['tc', 'qdisc', ...change.replace('LINK', `dev ${hostInterface} root`).split(' ')], {
        deadline: 10_000,
      });
    };
    const stateOn = async (name: string) => {
      const { apps } = await set.status();
      const here = apps.flatMap((it) => it.instances).filter((it) => it.node.startsWith(`${name}.`));
      return here.find((it) => it.instance > set.live)?.state;
    };

    it('holds up no other one, and sl status says who is still at it', async () => {
      await shape('replace LINK tbf rate 2mbit burst 64kb latency 200ms');
      await set.work.write('app/noise', randomBytes(3 << 20));
      await set.underLoad(async () => {
        const running = set.deploy();
        const states = async () => [await stateOn('app2'), await stateOn('app1')];
        try {
          await expect.poll(states, { ...POLL, interval: 100 }).toEqual(['staged', 'staging']);
        } finally {
          await shape('del LINK');
        }
        const { code, record, stderr } = await running;
        expect([code, record?.outcome], stderr).toEqual([0, 'done']);
        await set.expectEverywhere(record?.instance ?? '');
      });
    });
  });

  async function decided(): Promise<boolean> {
    const { deploys } = await set.deploys();
    return deploys[0]?.state === 'committed';
  }

  describe('a full disk', () => {
    const STORE = '/var/lib/silverlining/store';

    it.each([
      ['on one node', 'size=40m', /needs \d+ MiB and \d+ MiB to spare; \d+ MiB are free/],
      ['of inodes on one node', 'nr_inodes=200', /needs \d+ inodes and \d+ to spare; \d+ inodes are free/],
    ])('%s: nothing switches, and the message has what is needed and what is free', async (_what, limit, message) => {
      const { live } = set;
      const app1 = set.node('app1');
      await app1.exec(['mount', '-t', 'tmpfs', '-o', limit, 'tmpfs', STORE]);
      await app1.exec(['systemctl', 'restart', 'silver-agent.service']);
      await set.healthy();
      await set.work.write('app/big', 'x'.repeat(20 << 20));
      const { code, record, error } = await set.underLoad(() => set.deploy());
      expect([code, record?.outcome, error?.code]).toEqual([1, 'aborted', 'E_DISK_FULL']);
      expect(error?.message).toMatch(message);
      expect(error?.node).toMatch(/^app1\./);
      await app1.exec(['umount', '-l', STORE]);
      await app1.exec(['systemctl', 'restart', 'silver-agent.service']);
      await set.work.write('app/big', '');
      await set.expectEverywhere(live);
    });

    it('as the vote is written: nothing switches', async () => {
      const { live } = set;
      await set.armAgent('app1', 'journals.put=ENOSPC');
      const { code, record, error } = await set.underLoad(() => set.deploy());
      expect([code, record?.outcome, error?.code]).toEqual([1, 'aborted', 'E_DISK_FULL']);
      expect(error?.message).toMatch(/ENOSPC.*; \d+ MiB( and \d+ inodes)? are free/);
      expect(error?.node).toMatch(/^app1\./);
      await set.expectEverywhere(live);
    });

    it('as the decision is written down on the balancer: it is made good without a new deploy', async () => {
      await set.armAgent('balancer', 'journals.writeCommitted=ENOSPC');
      const { record } = await set.underLoad(() => set.deploy());
      await set.underLoad(() => set.sl(['up', '-f', set.work.file, '--yes']));
      await set.expectEverywhere(record?.outcome === 'done' ? record.instance : set.live);
    });
  });

  const HOUR = 3_600_000;
  const DAY = 24 * HOUR;

  describe('clocks that differ', () => {
    async function controllerAhead(ms: number): Promise<void> {
      await stopController(findDirectories().state, { force: true });
      await set.startController({ SL_CLOCK_AHEAD: String(ms) });
      await set.restartAgents();
    }
    const complaints = async () => (await set.status()).nodes.map(({ state, reasons }) => [state, ...reasons]);
    const all = (...what: string[]) => [...set.nodes].map(() => what);

    afterAll(async () => {
      await controllerAhead(0);
      await set.healthy();
    });

    it.each([
      ['an hour', HOUR, '1 h'],
      ['an hour the other way', -HOUR, '1 h'],
      ['60 days, after which all certificates are renewed', 60 * DAY, '60 d'],
    ])('by %s: sl status says so, and deploys work', async (_much, off, words) => {
      await set.underLoad(async () => {
        await controllerAhead(off);
        const side = off > 0 ? 'behind' : 'ahead of';
        await expect.poll(complaints, POLL).toEqual(all('degraded', `its clock is ${words} ${side} this machine's`));
        const { code, record, stderr } = await set.deploy();
        expect([code, record?.outcome], stderr).toEqual([0, 'done']);
      });
      set.live = await set.release();
    });

    it('by 400 days: agents do not connect, say why in their logs, and apps serve on', async () => {
      await set.underLoad(async () => {
        await controllerAhead(-400 * DAY);
        const log = async () =>
          (await set.node('app1').exec(['journalctl', '-u', 'silver-agent.service', '-n', '20', '-o', 'cat'])).stdout;
        await expect.poll(log, POLL).toMatch(/this node's clock says 20\d\d-.*: is it right\?/);
      });
    });
  });
}
