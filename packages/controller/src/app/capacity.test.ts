import { describe, expect, it } from 'vitest';
import { memoryStore } from '../../../../test/fakes/memory-store.ts';
import { serverSet } from '../io/store/contract-records.ts';
import type { ProgressReport } from '../service.ts';
import { warnOfCapacity } from './capacity.ts';

describe('the capacity of the controller', () => {
  it('is compared with the nodes of all its sets', async () => {
    const store = memoryStore();
    const { nodes } = (await store.putSet('blog', serverSet('blog'))).config;
    await store.putSet('shop', serverSet('shop'));
    const said: ProgressReport[] = [];
    const emit = (report: ProgressReport) => void said.push(report);
    await warnOfCapacity({ store, capacity: 2 * nodes.length }, { emit });
    expect(said).toEqual([]);
    await warnOfCapacity({ store, capacity: 2 * nodes.length - 1 }, { emit });
    expect(said).toMatchObject([{ status: 'warning', text: expect.stringContaining('open files') }]);
  });
});
