import { createHash } from 'node:crypto';
import { type Topology, topologyChange } from '@silverlining/protocol';
import { describe, expect, it } from 'vitest';
import { createExclusive } from '../io/release/exclusive.ts';
import type { RequestContext, StateFile } from '../ports.ts';
import { keepTopology } from './topology.ts';

const context: RequestContext = {
  signal: new AbortController().signal,
  progress: () => undefined,
  openTransfer: () => Promise.reject(new Error('a topology needs no transfer')),
};

function generation(number: number): Topology {
  const nothing = { nodes: [], services: [], apps: [], locations: [], aliases: [] };
  return { version: 1, set: 'demo', generation: number, baseDomain: 'demo.internal', setEtcHosts: true, ...nothing };
}

/** A file whose writes end when the test says so, in the order that it says. */
function slowFile() {
  const writes: { value: Topology | undefined; end: () => void }[] = [];
  const file: StateFile<Topology | undefined> = {
    read: async () => undefined,
    write: (value) => new Promise((end) => writes.push({ value, end })),
  };
  return { file, writes };
}

const turn = () => new Promise((done) => setImmediate(done));

describe('the topology', () => {
  it('that is newer stands, although an older one was still being written when it came', async () => {
    const { file, writes } = slowFile();
    const keeper = await keepTopology({ file, nodeName: 'app1', exclusive: createExclusive() });
    const older = keeper.handler({ topology: generation(1) }, context);
    const newer = keeper.handler({ topology: generation(2) }, context);
    for (let ended = 0; ended < 2; ended++) {
      await turn();
      writes.at(-1 - ended)?.end();
      writes[ended]?.end();
    }
    await Promise.all([older, newer]);
    expect(keeper.generation()).toBe(2);
    expect(writes.at(-1)?.value?.generation).toBe(2);
  });

  it('that is older is refused', async () => {
    const { file, writes } = slowFile();
    const keeper = await keepTopology({ file, nodeName: 'app1', exclusive: createExclusive() });
    const first = keeper.handler({ topology: generation(3) }, context);
    await turn();
    writes[0]?.end();
    await first;
    await expect(keeper.handler({ topology: generation(2) }, context)).rejects.toMatchObject({ code: 'E_STALE_EPOCH' });
  });
});

describe('a change of the topology', () => {
  const written = { read: async () => generation(1), write: async () => undefined };
  const digestOf = (it: Topology) => createHash('sha256').update(JSON.stringify(it)).digest('hex');
  const keep = () => keepTopology({ file: written, nodeName: 'app1', exclusive: createExclusive() });

  it('makes the new one of the one before', async () => {
    const keeper = await keep();
    const next = { ...generation(2), aliases: ['www.demo.test'] };
    const change = { ...topologyChange(generation(1), next), digest: digestOf(next) };
    expect(await keeper.change(change, context)).toEqual({ generation: 2 });
    expect(keeper.view.topology()).toEqual(next);
  });

  it('is refused by a node that has another one, and where something else would come of it', async () => {
    const keeper = await keep();
    const next = { ...generation(3), aliases: ['www.demo.test'] };
    const later = { ...topologyChange(generation(2), next), digest: digestOf(next) };
    await expect(keeper.change(later, context)).rejects.toMatchObject({ code: 'E_CONFLICT' });
    const other = { ...topologyChange(generation(1), next), digest: digestOf(generation(3)) };
    await expect(keeper.change(other, context)).rejects.toMatchObject({ code: 'E_CONFLICT' });
    expect(keeper.generation()).toBe(1);
  });
});
