/** Agents that are killed, or fail, at any moment of a deploy, under load: visitors see one release and then the other. */
import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentCopy, complaintOf } from './support/agent-copy.ts';
import { type FaultSet, POLL } from './support/fault-set.ts';

export function describeAgentFaults(given: () => FaultSet): void {
  let set: FaultSet;

  beforeAll(() => {
    set = given();
  });

  /** It fails for the node's sake, and visitors never notice. */
  async function expectAborted(failpoint: string): Promise<void> {
    const { live } = set;
    await set.armAgent('app1', failpoint);
    const { code, error, record } = await set.underLoad(() => set.deploy());
    expect([code, record?.outcome]).toEqual([1, 'aborted']);
    expect(error).toMatchObject({ code: 'E_NODE_DISCONNECTED', node: expect.stringMatching(/^app1\./) });
    await set.expectEverywhere(live);
  }

  describe('an agent killed before it has voted', () => {
    it.each([
      ['as it receives', 'store.receive=kill'],
      ['when it has received', 'store.receive.done=kill'],
      ['when it has unpacked', 'tree.materialise.done=kill'],
      ['before its journal is written', 'journals.put=kill'],
    ])('%s: nothing switches', (_when, failpoint) => expectAborted(failpoint));

    it('as it writes a file: what it had of that is gone when it is back', async () => {
      const data = '/var/lib/silverlining';
      const id = randomUUID();
      const half = [
        '/etc/systemd/system/silver-app-hello.20200101_001.service.new',
        `${data}/agent/committed.json.${id}.dpkg-tmp`,
        `${data}/instances/hello.20200101_001.json.${id}.dpkg-tmp`,
      ];
      await set.node('app1').exec(['touch', ...half]);
      expect((await set.traces()).flatMap((it) => it.leftovers).sort()).toEqual(half);
      await set.node('app1').exec(['systemctl', 'kill', '--signal=KILL', 'silver-agent.service']);
      await set.expectNothingLeft();
      await set.healthy();
    });

    it('does not keep the next deploy from being done', async () => {
      const { code, record } = await set.underLoad(() => set.deploy());
      expect([code, record?.outcome]).toEqual([0, 'done']);
      await set.expectEverywhere(record?.instance ?? '');
    });
  });

  describe('an agent killed after it has voted', () => {
    it.each([
      ['before its vote is heard', 'journals.put.done=kill'],
      ['as it answers', 'handlers.stage.done=kill'],
    ])('%s: nothing switches, and it obeys when it is back', (_when, failpoint) => expectAborted(failpoint));

    it('while another one is still at it: it is back by the switch, and follows', async () => {
      await set.armAgent('app2', 'store.receive=sleep:5000');
      const running = set.underLoad(() => set.deploy());
      await expect.poll(() => stateOn('app1'), { ...POLL, interval: 100 }).toBe('staged');
      await set.node('app1').exec(['systemctl', 'kill', '--signal=KILL', 'silver-agent.service']);
      const { code, record, stderr } = await running;
      expect([code, record?.outcome], stderr).toEqual([0, 'done']);
      await set.expectEverywhere(record?.instance ?? '');
    });
  });

  async function stateOn(name: string): Promise<string | undefined> {
    const { apps } = await set.status();
    const here = apps[0]?.instances.filter((it) => it.node.startsWith(`${name}.`)) ?? [];
    return here.find((it) => it.state === 'staged' && it.instance > set.live)?.state;
  }

  describe('an agent killed around the switch', () => {
    it.each([
      ['balancer', 'as the order comes', 'handlers.switch=kill'],
      ['balancer', 'with the order on disk', 'journals.writeCommitted.done=kill'],
      ['balancer', 'before the map is written', 'balancer.apply=kill'],
      ['balancer', 'with the map in force', 'balancer.apply.done=kill'],
      ['balancer', 'as it answers', 'handlers.switch.done=kill'],
      ['app1', 'before its map is written', 'proxy.writeActive=kill'],
      ['app1', 'as it answers', 'handlers.switch.done=kill'],
    ])('%s, %s: the switch is done all the same', async (node, _when, failpoint) => {
      await set.armAgent(node, failpoint);
      const { code, record, stderr } = await set.underLoad(() => set.deploy());
      expect([code, record?.outcome], stderr).toEqual([0, 'done']);
      await set.expectEverywhere(record?.instance ?? '');
    });
  });

  describe('an agent killed while update_fetch runs', () => {
    it('before it answers: nothing switches, the message says that it may have run, and it ran once', async () => {
      const { live } = set;
      await set.armAgent('app1', 'handlers.hook.done=kill');
      const { code, error, record } = await set.underLoad(() => set.deploy());
      expect([code, record?.outcome, error?.code]).toEqual([1, 'aborted', 'E_NODE_DISCONNECTED']);
      expect(error?.message).toMatch(/app1\..* update_fetch was under way there and may have run/);
      const ran = async (name: string) =>
        (await set.node(name).exec(['cat', '/var/log/silverlining/apps/hello/updates'])).stdout.split('\n');
      expect((await ran('app1')).filter((it) => it.startsWith(record?.instance ?? ''))).toEqual([
        `${record?.instance} primary`,
      ]);
      expect((await ran('app2')).filter((it) => it.startsWith(record?.instance ?? ''))).toEqual([]);
      await set.expectEverywhere(live);
    });
  });

  describe('the balancer', () => {
    it('whose HAProxy does not run: nothing is decided', async () => {
      const { live } = set;
      await set.node('balancer').exec(['systemctl', 'stop', 'haproxy.service']);
      const { code, error, record } = await set.deploy();
      await set.node('balancer').exec(['systemctl', 'start', 'haproxy.service']);
      expect([code, record?.outcome, error?.code]).toEqual([1, 'aborted', 'E_SWITCH']);
      expect(error?.message).toMatch(/HAProxy does not run|HAProxy's socket/);
      expect(error?.node).toMatch(/^balancer\./);
      await set.expectEverywhere(live);
    });

    it('whose new configuration is no good serves on with the old one', async () => {
      const ini = await set.work.read('silver.ini');
      await set.work.edit('silver.ini', /(locations =\n.*\n)/, `$1    http://other.${set.host}/ hello\n`);
      await set.node('balancer').exec(['mount', '--bind', '/bin/false', '/usr/sbin/haproxy']);
      const { code, error } = await set.underLoad(() => set.sl(['up', '-f', set.work.file, '--yes']));
      await set.node('balancer').exec(['umount', '/usr/sbin/haproxy']);
      expect([code, error?.code]).toEqual([1, 'E_RESOURCE']);
      expect(error?.node).toMatch(/^balancer\./);
      await set.work.write('silver.ini', ini);
      // With a configuration that is good it goes on, and deploys what was given up before.
      const { code: again, record } = await set.underLoad(() => set.sl(['up', '-f', set.work.file, '--yes']));
      expect(again).toBe(0);
      await set.expectEverywhere(record?.instance ?? '');
    });
  });

  describe('a release that arrives damaged on one node', () => {
    // Nothing of it can be compressed, so the byte is one of its content.
    const send = async (failpoints: string) => {
      await set.armAgent('app1', failpoints);
      await set.work.write('app/noise', randomBytes(1 << 20));
      return set.underLoad(() => set.deploy());
    };

    it('is sent once more', async () => {
      const { code, record, stderr } = await send('store.receive=flip:500000');
      expect([code, record?.outcome], stderr).toEqual([0, 'done']);
      const again = record?.timeline?.filter((it) => it.event === 'sent again').map((it) => it.node);
      expect(again).toEqual([expect.stringMatching(/^app1\./)]);
      await set.expectEverywhere(record?.instance ?? '');
    });

    it('twice is given up: the message names the node and the file', async () => {
      const { live } = set;
      const { code, record, error } = await send('store.receive=flip:500000,store.receive@2=flip:500000');
      expect([code, record?.outcome, error?.code]).toEqual([1, 'aborted', 'E_MANIFEST']);
      expect(error?.message).toMatch(/"app\/noise" came with another content .*, twice/);
      expect(error?.node).toMatch(/^app1\./);
      await set.expectEverywhere(live);
    });
  });

  describe('a copy of an agent', () => {
    let copy: AgentCopy;
    beforeAll(async () => {
      copy = await AgentCopy.of(set.node('app1'), 'faults-agent-copy');
    });
    afterAll(() => copy?.destroy());

    const app1 = async () => {
      const node = (await set.status()).nodes.find((it) => it.name.startsWith('app1.'));
      return [node?.state, ...(node?.reasons ?? [])];
    };
    const SET_UP_AGAIN = /the controller answers 401: app1\..* was set up again since, here or on another machine/;

    it('that runs beside it: both are held back, with an alarm, until sl up lets the right one in', async () => {
      await set.underLoad(async () => {
        await copy.start();
        await expect.poll(app1, POLL).toEqual(['down', expect.stringMatching(/two agents claim to be this node/)]);
        // Neither comes in again, however quickly it tries.
        await Promise.all([copy.start(), set.restartAgents()]);
        for (const complaint of [() => copy.complaint(), () => complaintOf(set.node('app1'))])
          await expect.poll(complaint, POLL).toMatch(/the controller answers 409: two agents claim to be app1\./);
        expect(await app1()).toEqual(['down', expect.anything()]);
        const { code, error } = await set.deploy();
        expect([code, error?.code]).toEqual([1, 'E_NODE_DISCONNECTED']);
        const again = await set.sl(['up', '-f', set.work.file, '--yes']);
        expect([again.code, again.record?.outcome], again.stderr).toEqual([0, 'done']);
        await copy.start();
        await expect.poll(() => copy.complaint(), POLL).toMatch(SET_UP_AGAIN);
        await set.expectEverywhere(again.record?.instance ?? '');
      });
    });

    it('of a machine that was replaced: it is told so, and gets nothing any more', async () => {
      await copy.take(set.node('app1'));
      await set.underLoad(async () => {
        await set.node('app1').destroy();
        // As long as nobody says that the node is another machine, it is the node.
        await copy.start();
        await expect.poll(app1, POLL).not.toContain('down');
        expect((await set.sl(['up', '-f', set.work.file, '--yes'])).code).toBe(0);
        await set.meetNodes();
        await set.healthy();
        await copy.start();
        await expect.poll(() => copy.complaint(), POLL).toMatch(SET_UP_AGAIN);
        await copy.news();
        const { code, record, stderr } = await set.deploy();
        expect([code, record?.outcome], stderr).toEqual([0, 'done']);
        await set.expectEverywhere(record?.instance ?? '');
      });
      expect(await copy.news()).toEqual([]);
    });
  });
}
