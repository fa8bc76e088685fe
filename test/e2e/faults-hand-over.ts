/** The controller killed while a role moves between nodes that stay, under load; what was begun can wait for a deploy. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { FaultSet } from './support/fault-set.ts';

const OWN = '[balancer]\n';

export function describeHandOverFaults(given: () => FaultSet): void {
  let set: FaultSet;

  beforeAll(() => {
    set = given();
  });

  describe('the controller killed while the balancer moves from an app server to a node of its own', () => {
    it.each([
      ['before the new roles are stored', 'store.putTopology@2=kill'],
      ['before the nodes are told of the new roles', 'store.putTopology.done@2=kill'],
    ])('%s: who visits the old one notices nothing, nor of the next deploy', async (_when, failpoint) => {
      const onApp1 = `${OWN}node_names = app1.${set.name}.internal\n`;
      await set.work.edit('silver.ini', OWN, onApp1);
      await up();
      await set.work.edit('silver.ini', onApp1, OWN);
      const record = await set.underLoad(async () => {
        await set.armController(failpoint);
        const { code, error } = await set.sl(['up', '-f', set.work.file, '--yes']);
        expect([code, error?.code]).toEqual([1, 'E_CONTROLLER']);
        await set.meetNodes();
        await set.startController();
        return (await set.deploy()).record;
      });
      expect(record).toMatchObject({ outcome: 'done', previous: set.live });
      expect(await set.release()).toBe(record?.instance);
      await up();
      await set.expectEverywhere(record?.instance ?? '');
    });
  });

  async function up(): Promise<void> {
    const { code, error } = await set.sl(['up', '-f', set.work.file, '--yes']);
    expect([code, error]).toEqual([0, undefined]);
    await set.meetNodes();
    set.address = set.node(set.nodes.has('balancer') ? 'balancer' : 'app1').address;
  }
}
