import { type LogLine, type RequestBody, SlError } from '@silverlining/protocol';
import { beforeEach, expect, it, vi } from 'vitest';
import { ManualClock } from '../../../../test/fakes/manual-clock.ts';
import { memoryStore } from '../../../../test/fakes/memory-store.ts';
import { SendingFleet } from '../../../../test/fakes/sending-fleet.ts';
import { nodeRecord, serverSet } from '../io/store/contract-records.ts';
import { logs } from './logs.ts';

const SET = 'shop';
const { signal } = new AbortController();
const clock = new ManualClock();
const store = memoryStore();
let fleet: SendingFleet;

beforeEach(async () => {
  fleet = new SendingFleet();
  await store.putSet(SET, serverSet(SET));
  for (const name of ['app1', 'app2', 'app3']) await store.putNode(nodeRecord(SET, name, { roles: ['appserver'] }));
});

/** A node that sends these lines, each with its time. */
function sends(node: string, ...lines: [at: number, text: string][]): void {
  const answer = ({ transfer }: RequestBody<'logs'>) => {
    const socket = fleet.sockets.get(transfer);
    for (const [at, text] of lines) socket?.write(`${JSON.stringify({ node: '', at, source: 'blog', text })}\n`);
    socket?.end();
    return {};
  };
  fleet.connect(node, { logs: answer });
}

/** Of a controller that has just started. */
function depsOf(): Parameters<typeof logs>[0] {
  const nobodyToCall = {
    log: { info: () => undefined } as never,
    bootstrapper: undefined as never,
    providerFor: undefined as never,
  };
  return { store, fleet, clock, startedAt: clock.now(), ...nobodyToCall };
}

/** What comes, and what is thrown in the end. */
async function read(follow = false): Promise<{ lines: string[]; error: unknown }> {
  const lines: string[] = [];
  const emit = async ({ node, source, text }: LogLine) => void lines.push(`${node.split('.')[0]} ${source}: ${text}`);
  const request = { set: SET, lines: 3, follow };
  const error = await logs(depsOf(), request, { emit, signal }).then(
    () => undefined,
    (it: unknown) => it,
  );
  return { lines, error };
}

it('has the last lines of all nodes in the order of their times', async () => {
  sends('app1', [1, 'a'], [4, 'd']);
  sends('app2', [2, 'b']);
  sends('app3', [3, 'c']);
  expect(await read()).toEqual({ lines: ['app2 blog: b', 'app3 blog: c', 'app1 blog: d'], error: undefined });
});

it('waits for nodes that are on their way back to a controller that has just started', async () => {
  sends('app1', [1, 'a']);
  sends('app2', [2, 'b']);
  await store.putNode(nodeRecord(SET, 'app3', { roles: ['appserver'], lastSeen: 0 }));
  const waitFor = vi.spyOn(fleet, 'waitFor').mockImplementation(async () => {
    sends('app3', [3, 'c']);
    return {} as never;
  });
  expect(await read()).toEqual({ lines: ['app1 blog: a', 'app2 blog: b', 'app3 blog: c'], error: undefined });
  expect(waitFor).toHaveBeenCalledTimes(1);
});

it('has lines whole that an app has written a line or paragraph separator into', async () => {
  sends('app1', [1, 'a\u2028b'], [2, 'c\u2029d']);
  for (const node of ['app2', 'app3']) sends(node);
  expect(await read()).toEqual({ lines: ['app1 blog: a\u2028b', 'app1 blog: c\u2029d'], error: undefined });
});

it('takes no more lines of a node than it asked for', async () => {
  sends('app1', [1, 'a'], [2, 'b'], [3, 'c'], [4, 'd'], [5, 'e']);
  sends('app2', [6, 'f'], [7, 'g']);
  sends('app3');
  const { lines, error } = await read();
  expect(lines).toEqual(['app1 blog: c', 'app2 blog: f', 'app2 blog: g']);
  expect(error).toMatchObject({ code: 'E_FRAME', details: { node: 'app1.shop.internal' } });
});

it('has those of the others where a node is away, and says which', async () => {
  sends('app1', [1, 'a']);
  sends('app3', [2, 'b']);
  const { lines, error } = await read();
  expect(lines).toEqual(['app1 blog: a', 'app3 blog: b']);
  expect(error).toMatchObject({ code: 'E_NODE_DISCONNECTED', details: { node: 'app2.shop.internal' } });
});

it('says at once of whom no lines come when it follows them', async () => {
  sends('app1', [1, 'a']);
  fleet.connect('app2', { logs: () => Promise.reject(new SlError('E_INTERNAL', 'no journal')) });
  sends('app3', [2, 'b']);
  const { lines, error } = await read(true);
  expect(lines.sort()).toEqual(['app1 blog: a', 'app2 sl: no more lines of this node: no journal', 'app3 blog: b']);
  expect(error).toMatchObject({ code: 'E_INTERNAL', details: { node: 'app2.shop.internal' } });
});
