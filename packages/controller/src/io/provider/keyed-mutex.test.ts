import { describe, expect, it } from 'vitest';
import { KeyedMutex } from './keyed-mutex.ts';

describe('KeyedMutex', () => {
  it('keeps the order of a key, goes on after a failure, and lets other keys pass', async () => {
    const mutex = new KeyedMutex();
    const events: string[] = [];
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const first = mutex.run('a', async () => {
      events.push('first begins');
      await gate;
      throw new Error('broken');
    });
    const second = mutex.run('a', async () => {
      events.push('second');
    });
    await mutex.run('b', async () => {
      events.push('other');
    });
    open();
    await expect(first).rejects.toThrow('broken');
    await second;
    expect(events).toEqual(['first begins', 'other', 'second']);
  });
});
