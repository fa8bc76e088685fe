import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import * as z from 'zod/mini';
import { stateFile } from './state-file.ts';

it('what is to be forgotten leaves no file, and so needs no room', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sl-state-'));
  try {
    const file = stateFile(join(folder, 'kept.json'), z.optional(z.string()), undefined);
    for (const value of ['first', undefined, 'second']) {
      await file.write(value);
      expect([await file.read(), await readdir(folder)]).toEqual([value, value === undefined ? [] : ['kept.json']]);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
