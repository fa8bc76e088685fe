import { SlError } from '@silverlining/protocol';
import { expect, it, vi } from 'vitest';
import { FakeFleet } from '../../../../test/fakes/fake-fleet.ts';
import { nodeRecord } from '../io/store/contract-records.ts';
import { insist } from './rollout-insist.ts';

const node = 'app1';
const nodes = new Map([[node, nodeRecord('shop', node)]]);
const context = (fleet = new FakeFleet()) => ({ deps: { fleet }, nodes, unreached: new Set<string>() });
const { signal } = new AbortController();
const lost = new SlError('E_NODE_DISCONNECTED', 'gone');

/** As a request does whose signal is aborted. */
const never = (limited: AbortSignal) =>
  new Promise<never>((_resolve, reject) => {
    if (limited.aborted) reject(new SlError('E_ABORTED', 'it was cancelled'));
    limited.addEventListener('abort', () => reject(new SlError('E_ABORTED', 'it was cancelled')));
  });

it('tries again over lost connections', async () => {
  const fleet = new FakeFleet();
  fleet.connect(node, {});
  const answers = [() => Promise.reject(lost), () => Promise.reject(lost), () => Promise.resolve('here')];
  const attempt = () => answers.shift()?.() ?? Promise.reject(lost);
  expect(await insist(context(fleet), { node, signal, patience: 10_000 }, attempt)).toBe('here');
});

it('takes any other error for the answer', async () => {
  const attempt = () => Promise.reject(new SlError('E_SWITCH', 'no'));
  await expect(insist(context(), { node, signal, patience: 10_000 }, attempt)).rejects.toMatchObject({
    code: 'E_SWITCH',
  });
});

it('says that the node was not to be reached when the time is over, and never that something failed', async () => {
  await expect(insist(context(), { node, signal, patience: 5 }, never)).rejects.toMatchObject({
    code: 'E_DEADLINE',
    details: { node: 'app1.shop.internal' },
  });
});

it('does not wait as long again for a node that it waited for in vain', async () => {
  const timeout = vi.spyOn(AbortSignal, 'timeout');
  const over = () => timeout.mock.calls.map(([ms]) => ms);
  const it = context();
  timeout.mockReturnValue(AbortSignal.abort());
  await expect(insist(it, { node, signal }, never)).rejects.toMatchObject({ code: 'E_DEADLINE' });
  await expect(insist(it, { node, signal }, never)).rejects.toMatchObject({ code: 'E_DEADLINE' });
  expect(over()).toEqual([30_000, 5_000]);
  vi.restoreAllMocks();
});

it('ends when it is cancelled', async () => {
  const cancel = new AbortController();
  const asked = insist(context(), { node, signal: cancel.signal, patience: 10_000 }, never);
  cancel.abort();
  await expect(asked).rejects.toMatchObject({ code: 'E_ABORTED' });
});
