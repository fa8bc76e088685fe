import { rmSync } from 'node:fs';
import { mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ResourceOf, SlError } from '@silverlining/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formerUnitExecutor } from './former-unit.ts';
import { observe } from './observations.ts';

const WANTED: ResourceOf<'former-unit'> = { type: 'former-unit', name: 'haproxy.service', mark: '/hold.lua' };

let root: string;
let ended: string[];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sl-former-'));
  ended = [];
});
afterEach(() => rmSync(root, { recursive: true }));

function executor(end = async (names: readonly string[]) => void ended.push(...names)) {
  const context = { signal: new AbortController().signal, say: () => undefined, root };
  return formerUnitExecutor(observe([WANTED], context), { end });
}

describe('the unit of a role that a node does not have', () => {
  it('is left alone where the role never was', async () => {
    expect(await executor().check(WANTED)).toBeUndefined();
  });

  it('is ended once where it was, and then is none of ours', async () => {
    await writeFile(join(root, 'hold.lua'), '');
    expect(await executor().check(WANTED)).toContain('does not have any more');
    expect(await executor().apply(WANTED)).toEqual({ settled: 'haproxy.service' });
    expect(ended).toEqual(['haproxy.service']);
    expect(await executor().check(WANTED)).toBeUndefined();
  });

  it('is ended by the next run when it does not stop', async () => {
    await writeFile(join(root, 'hold.lua'), '');
    const refusing = executor(() => Promise.reject(new SlError('E_RESOURCE', 'it did not stop')));
    await expect(refusing.apply(WANTED)).rejects.toThrow('it did not stop');
    expect(await readdir(root)).toEqual(['hold.lua']);
  });
});
