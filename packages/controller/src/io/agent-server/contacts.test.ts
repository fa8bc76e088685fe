import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { helloBody } from '../../../../../test/fakes/agent-client.ts';
import { Contacts } from './contacts.ts';

const FACTS = helloBody().facts;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('times of contact', () => {
  it('are written for all nodes together, those of a hello soon', async () => {
    const touchNodes = vi.fn(async () => undefined);
    const contacts = new Contacts({ touchNodes }, 15_000, () => undefined);
    contacts.heard('a', 1);
    contacts.heard('b', 2);
    contacts.heard('a', 3);
    await vi.advanceTimersByTimeAsync(14_000);
    expect(touchNodes).not.toHaveBeenCalled();
    contacts.hello('c', 4, FACTS);
    contacts.heard('c', 5);
    await vi.advanceTimersByTimeAsync(100);
    const written = [
      { uuid: 'a', lastSeen: 3 },
      { uuid: 'b', lastSeen: 2 },
      { uuid: 'c', lastSeen: 5, facts: FACTS },
    ];
    expect(touchNodes.mock.calls).toEqual([[written]]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(touchNodes).toHaveBeenCalledTimes(1);
  });

  it('that cannot be written are reported, and later ones are written', async () => {
    const failures: unknown[] = [];
    const touchNodes = vi.fn(async () => undefined).mockRejectedValueOnce(new Error('disk full'));
    const contacts = new Contacts({ touchNodes }, 1_000, (error) => failures.push(error));
    contacts.heard('a', 1);
    await contacts.flush();
    contacts.heard('a', 2);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(failures).toHaveLength(1);
    expect(touchNodes).toHaveBeenLastCalledWith([{ uuid: 'a', lastSeen: 2 }]);
  });
});
