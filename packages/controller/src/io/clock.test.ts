import { describe, expect, it } from 'vitest';
import { systemClock } from './clock.ts';
import { randomIds } from './ids.ts';

describe('systemClock', () => {
  it('ends a sleep with E_ABORTED when it is cancelled, before or during it', async () => {
    const controller = new AbortController();
    const sleeping = systemClock.sleep(600_000, controller.signal);
    controller.abort();
    await expect(sleeping).rejects.toMatchObject({ code: 'E_ABORTED' });
    await expect(systemClock.sleep(600_000, controller.signal)).rejects.toMatchObject({ code: 'E_ABORTED' });
  });
});

describe('randomIds', () => {
  it('makes URL-safe tokens of the entropy asked for', () => {
    expect(randomIds.token(24)).toMatch(/^[A-Za-z0-9_-]{32}$/);
    expect(randomIds.token(24)).not.toBe(randomIds.token(24));
  });
});
