import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { claimDaemon, readDaemonFile } from './daemon.ts';

const EVERY = 5;
let state: string;

beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'sl-daemon-'));
});
afterEach(() => rm(state, { recursive: true, force: true }));

it('notices that its state directory was removed, or became the one of another controller', async () => {
  for (const take of [
    () => rm(state, { recursive: true }),
    () => writeFile(join(state, 'controller.json'), JSON.stringify({ version: '1', pid: 1, started: '', socket: '' })),
  ]) {
    const gone = vi.fn();
    const daemon = await claimDaemon(state, '1');
    daemon.watch(gone, EVERY);
    await setTimeout(10 * EVERY);
    expect(gone).not.toHaveBeenCalled();
    await take();
    await vi.waitFor(() => expect(gone).toHaveBeenCalled());
    await daemon.release();
    await rm(state, { recursive: true, force: true });
    state = await mkdtemp(join(tmpdir(), 'sl-daemon-'));
  }
});

it('says who is at work, and nothing more once it ended', async () => {
  const gone = vi.fn();
  const daemon = await claimDaemon(state, '1');
  daemon.watch(gone, EVERY);
  expect(readDaemonFile(state)).toMatchObject({ version: '1', pid: process.pid });
  await expect(claimDaemon(state, '1')).rejects.toMatchObject({ code: 'E_CONFLICT', details: { pid: process.pid } });
  await daemon.release();
  await setTimeout(10 * EVERY);
  expect([readDaemonFile(state), gone.mock.calls]).toEqual([undefined, []]);
});
