import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSigningKey } from './signing-key.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sl-signing-'));
});
afterEach(() => rm(directory, { recursive: true }));

describe('the signing key', () => {
  it('is made once, for nobody else to read, and signs so that its public half can tell', async () => {
    const key = await openSigningKey(directory);
    expect((await stat(join(directory, 'signing.pem'))).mode & 0o777).toBe(0o600);
    const again = await openSigningKey(directory);
    expect(again.id).toBe(key.id);
    const signature = Buffer.from(again.sign('text'), 'base64url');
    expect(verify(null, Buffer.from('text'), createPublicKey(key.publicPem), signature)).toBe(true);
    expect(verify(null, Buffer.from('other'), createPublicKey(key.publicPem), signature)).toBe(false);
  });

  it('is another one where there was none', async () => {
    const { id } = await openSigningKey(directory);
    await rm(join(directory, 'signing.pem'));
    expect((await openSigningKey(directory)).id).not.toBe(id);
  });

  const ecdsa = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
  it.each([
    ['no key', 'nonsense'],
    ['a key of another kind', ecdsa],
  ])('is not taken from a file that holds %s', async (_what, text) => {
    await writeFile(join(directory, 'signing.pem'), text);
    await expect(openSigningKey(directory)).rejects.toMatchObject({
      code: 'E_STORE',
      message: expect.stringMatching(/signing\.pem.*restore it/),
    });
  });
});
