import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Flow } from './flow.ts';

let flow: Flow;
let told: string[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  flow = new Flow(1_000);
  told = [];
});

afterEach(() => void vi.useRealTimers());

/** Each says 600 bytes when it is its turn. */
function tell(...nodes: string[]): void {
  for (const node of nodes) {
    void flow.turn().then(() => {
      told.push(node);
      flow.sent(600);
    });
  }
}

async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await setImmediate();
}

it('lets one after the other speak, for as long as little is on its way', async () => {
  tell('a', 'b', 'c', 'd');
  await settled();
  expect(told).toEqual(['a', 'b']);
  flow.left(600);
  await settled();
  expect(told).toEqual(['a', 'b', 'c']);
  flow.left(1_200);
  await settled();
  expect(told).toEqual(['a', 'b', 'c', 'd']);
});

it('goes on beside bytes that nobody takes, and counts them no more once they are gone', async () => {
  tell('a', 'b', 'c', 'd', 'e');
  await settled();
  await vi.advanceTimersByTimeAsync(1_000);
  await settled();
  expect(told).toEqual(['a', 'b', 'c', 'd']);
  flow.left(2_400);
  await settled();
  tell('f', 'g');
  await settled();
  expect(told).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
});
