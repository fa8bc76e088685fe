import { SlError } from '@silverlining/protocol';
import { expect, it } from 'vitest';
import { createHandlers, type HandlerDependencies } from './handlers.ts';

const context = { signal: new AbortController().signal, progress: () => undefined, openTransfer: () => never() };
const never = () => Promise.reject(new SlError('E_INTERNAL', 'no test needs it'));

/** Retires an agent of which these steps fail; what it did, and what it answers. */
async function retire(...failing: string[]) {
  const done: string[] = [];
  const step = (name: string) => async () => {
    if (failing.includes(name)) throw new SlError('E_RESOURCE', `no ${name}`);
    done.push(name);
    return [];
  };
  const handlers = createHandlers({
    releases: { removeAll: step('removeAll') },
    host: { putBack: step('putBack') },
    probe: { forgetIdentity: step('forgetIdentity'), removeAgent: step('removeAgent') },
    topology: {},
    leave: (why: string) => done.push(`leave: ${why}`),
    log: () => undefined,
  } as unknown as HandlerDependencies);
  const answer = await handlers.retire({ reason: 'the test', putBack: true }, context).catch((it: unknown) => it);
  return { done, answer };
}

it('an agent that retires puts back what was there, forgets itself and leaves', async () => {
  const steps = ['removeAll', 'putBack', 'forgetIdentity', 'removeAgent', 'leave: retire'];
  expect(await retire()).toEqual({ done: steps, answer: {} });
});

it('an agent that cannot do all of that does the rest and leaves, and says what it could not', async () => {
  const { done, answer } = await retire('removeAll', 'removeAgent');
  expect(done).toEqual(['putBack', 'forgetIdentity', 'leave: retire']);
  const message = expect.stringMatching(/releases: no removeAll; the agent: no removeAgent$/);
  expect(answer).toMatchObject({ code: 'E_RESOURCE', message });
  expect((await retire('putBack')).done).toEqual(['removeAll', 'forgetIdentity', 'removeAgent', 'leave: retire']);
});
