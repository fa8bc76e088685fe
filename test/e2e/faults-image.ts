/** Releases of which nodes have nothing come as images: what goes wrong on the way, under load. */
import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { FaultSet } from './support/fault-set.ts';

/** Nearly all of the app, so that next to nothing of it is on the nodes. */
const FILES = 300;
const SIZE = 4_000;

export function describeImageFaults(given: () => FaultSet): void {
  let set: FaultSet;

  beforeAll(async () => {
    set = given();
    await mkdir(join(set.work.dir, 'app/many'));
  });
  beforeEach(async () => {
    for (let i = 0; i < FILES; i++) await set.work.write(`app/many/${i}`, randomBytes(SIZE));
  });
  afterAll(() => rm(join(set.work.dir, 'app/many'), { recursive: true, force: true }));

  const isImage = async (name: string, instance: string) =>
    (
      await set
        .node(name)
        .exec(['findmnt', '--noheadings', '--output=FSTYPE', `/var/lib/silverlining/releases/${instance}`])
    ).stdout.trim();

  it('come as such, and are switched to like any other', async () => {
    const { code, record, stderr } = await set.underLoad(() => set.deploy());
    expect([code, record?.outcome], stderr).toEqual([0, 'done']);
    const instance = record?.instance ?? '';
    expect([await isImage('app1', instance), await isImage('app2', instance)]).toEqual(['erofs', 'erofs']);
    await set.expectEverywhere(instance);
  });

  it('as an agent is killed that receives one, and nothing switches: the next deploy is done', async () => {
    const { live } = set;
    await set.armAgent('app1', 'store.receiveImage=kill');
    const { code, error, record } = await set.underLoad(() => set.deploy());
    expect([code, record?.outcome]).toEqual([1, 'aborted']);
    expect(error).toMatchObject({ code: 'E_NODE_DISCONNECTED', node: expect.stringMatching(/^app1\./) });
    await set.expectEverywhere(live);
    const { code: next, record: done, stderr } = await set.underLoad(() => set.deploy());
    expect([next, done?.outcome], stderr).toEqual([0, 'done']);
    await set.expectEverywhere(done?.instance ?? '');
  });

  it('one that arrives damaged on one node: what is wrong in it is sent once more', async () => {
    await set.armAgent('app1', 'store.receiveImage=flip:600000');
    const { code, record, stderr } = await set.underLoad(() => set.deploy());
    expect([code, record?.outcome], stderr).toEqual([0, 'done']);
    const again = record?.timeline?.filter((it) => it.event === 'sent again').map((it) => it.node);
    expect(again).toEqual([expect.stringMatching(/^app1\./)]);
    await set.expectEverywhere(record?.instance ?? '');
  });
}
