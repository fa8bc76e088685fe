import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CreateNodeRequest, Provider } from '../../ports.ts';

export interface ProviderContract {
  /** Called once; the provider has no nodes of the set `contract` that it created itself. */
  make: () => Promise<Provider>;
  /** Whether the provider can create nodes, or only knows those that it was told of. */
  creates: boolean;
  /** Called at the end, whatever happened. */
  cleanUp?: () => Promise<void>;
  timeoutMs?: number;
}

const SET = 'contract';
const never = new AbortController().signal;

/** What every provider, real or fake, does. Call it from a test file. */
export function describeProviderContract(name: string, contract: ProviderContract): void {
  const timeout = contract.timeoutMs ?? 5_000;
  describe(`provider contract: ${name}`, { timeout }, () => {
    let provider: Provider;
    beforeAll(async () => {
      provider = await contract.make();
    }, timeout);
    afterAll(async () => {
      await contract.cleanUp?.();
    }, timeout);

    describeQueries(() => provider);
    if (contract.creates) describeCreating(() => provider);
    else describeGiven(() => provider);
  });
}

function describeQueries(provider: () => Provider): void {
  it('offers sizes and images with ids of their own', async () => {
    for (const offers of [await provider().sizes(never), await provider().images(never)]) {
      expect(new Set(offers.map((offer) => offer.id)).size).toBe(offers.length);
    }
    for (const size of await provider().sizes(never)) expect(size.ram).toBeGreaterThan(0);
  });

  it('takes the destruction of a node that is gone as done', async () => {
    await provider().destroy(randomUUID(), never);
  });

  it('fails to start a node that does not exist', async () => {
    await expect(provider().start(randomUUID(), never)).rejects.toMatchObject({ code: 'E_PROVIDER' });
  });

  it('creates nothing once it is cancelled', async () => {
    const before = await provider().list(SET, never);
    const creating = provider().create(request('cancelled.example.internal'), () => undefined, AbortSignal.abort());
    await expect(creating).rejects.toMatchObject({ code: 'E_ABORTED' });
    expect(await provider().list(SET, never)).toEqual(before);
  });
}

function describeCreating(provider: () => Provider): void {
  it('creates a node once for a UUID, however often it is asked', async () => {
    const wanted = request('app1.example.internal');
    const created = await provider().create(wanted, () => undefined, never);
    expect(created).toMatchObject({ name: wanted.name, uuid: wanted.uuid, state: 'running' });
    expect(created.ssh.hostKeys?.length).toBeGreaterThan(0);
    expect(await provider().create(wanted, () => undefined, never)).toEqual(created);
    expect(await provider().list(SET, never)).toEqual([created]);
    expect(await provider().start(created.id, never)).toEqual(created);
  });

  it('shows a set only its own nodes, under addresses of their own', async () => {
    const second = await provider().create(request('app2.example.internal'), () => undefined, never);
    const nodes = await provider().list(SET, never);
    expect(nodes.map((node) => node.name)).toEqual(['app1.example.internal', 'app2.example.internal']);
    expect(new Set(nodes.map((node) => node.address)).size).toBe(2);
    expect(nodes).toContainEqual(second);
    expect(await provider().list('other', never)).toEqual([]);
  });

  it('refuses another name for a UUID that is taken', async () => {
    const [node] = await provider().list(SET, never);
    const other = { ...request('app3.example.internal'), uuid: node?.uuid ?? '' };
    await expect(provider().create(other, () => undefined, never)).rejects.toMatchObject({ code: 'E_CONFLICT' });
  });

  it('destroys nodes, twice if asked, and releases what it held for them', async () => {
    for (const node of await provider().list(SET, never)) {
      await provider().destroy(node.id, never);
      await provider().destroy(node.id, never);
    }
    expect(await provider().list(SET, never)).toEqual([]);
    await provider().cleanUp(SET, never);
    await provider().cleanUp(SET, never);
  });
}

function describeGiven(provider: () => Provider): void {
  it('lists the nodes it was told of, and starts them by doing nothing', async () => {
    const nodes = await provider().list(SET, never);
    expect(nodes.length).toBeGreaterThan(0);
    for (const node of nodes) expect(await provider().start(node.id, never)).toEqual(node);
  });

  it('says how to add a node that it cannot create', async () => {
    const creating = provider().create(request('new.example.internal'), () => undefined, never);
    await expect(creating).rejects.toMatchObject({
      code: 'E_PROVIDER',
      message: expect.stringContaining('new.example.internal'),
    });
  });

  it('leaves its nodes alone when they are destroyed', async () => {
    const nodes = await provider().list(SET, never);
    for (const node of nodes) await provider().destroy(node.id, never);
    expect(await provider().list(SET, never)).toEqual(nodes);
    await provider().cleanUp(SET, never);
  });
}

function request(name: string): CreateNodeRequest {
  return { uuid: randomUUID(), name, set: SET, size: undefined, image: undefined };
}
