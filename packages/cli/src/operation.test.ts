import { ControllerClient } from '@silverlining/controller';
import { type OperationEvent, SlError } from '@silverlining/protocol';
import { afterEach, expect, it, vi } from 'vitest';
import { createContext } from './context.ts';
import { followOperation } from './operation.ts';

const client = new ControllerClient('/nowhere');
const cancel = vi.spyOn(client, 'cancel').mockResolvedValue(true);
const context = createContext({ file: undefined, yes: false, json: true, color: false, verbose: false });
const written = vi.spyOn(context.stderr, 'write').mockReturnValue(true);
const turn = () => new Promise(setImmediate);
afterEach(async () => {
  await turn();
  vi.clearAllMocks();
});

const BEGUN: OperationEvent = { type: 'operation', id: 'deploy-1', kind: 'deploy', set: 'shop' };
const DONE: OperationEvent = { type: 'done', result: { deploys: [] } };
const ctrlC = () => void process.emit('SIGINT', 'SIGINT');

it('is cancelled by Ctrl-C', async () => {
  const end = await followOperation(context, client, async function* () {
    yield BEGUN;
    ctrlC();
    yield DONE;
  });
  expect(cancel.mock.calls).toEqual([['deploy-1']]);
  expect(end).toMatchObject({ result: { deploys: [] }, interrupted: true });
});

it('is cancelled by a Ctrl-C before the controller said its name', async () => {
  const end = await followOperation(context, client, async function* () {
    ctrlC();
    expect(cancel).not.toHaveBeenCalled();
    yield BEGUN;
    yield DONE;
  });
  expect(cancel.mock.calls).toEqual([['deploy-1']]);
  expect(end).toMatchObject({ result: { deploys: [] }, interrupted: true });
});

it('is left by a second Ctrl-C when the controller does not answer, without a word that it did not begin', async () => {
  const end = await followOperation(context, client, async function* (left) {
    ctrlC();
    expect(left.aborted).toBe(false);
    ctrlC();
    if (!left.aborted) yield BEGUN;
    throw new SlError('E_ABORTED', 'the request was given up');
  });
  expect(cancel).not.toHaveBeenCalled();
  expect(end.error).toMatchObject({ code: 'E_ABORTED', message: expect.stringContaining('whether it began') });
});

it('that is left by a second Ctrl-C was cancelled by the first one, and its report does not say that it goes on', async () => {
  const end = await followOperation(context, client, async function* () {
    yield BEGUN;
    ctrlC();
    ctrlC();
    throw new SlError('E_ABORTED', 'the request was given up');
  });
  expect(cancel.mock.calls).toEqual([['deploy-1']]);
  expect(end.error?.message).toContain('left while the controller was stopping it');
  expect(end.error?.message).toContain('sl deploy --attach deploy-1');
});

it('has its report written whatever comes as it ends', async () => {
  const listeners = process.listenerCount('SIGINT');
  await followOperation(context, client, async function* () {
    yield BEGUN;
    yield DONE;
  });
  // Whoever removes its listener is ended by the next signal.
  expect(process.listenerCount('SIGINT')).toBe(listeners + 1);
  await turn();
  expect(process.listenerCount('SIGINT')).toBe(listeners);
  expect(written).not.toHaveBeenCalled();
});
