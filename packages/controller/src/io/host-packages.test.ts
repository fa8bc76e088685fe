import { describe, expect, it } from 'vitest';
import { hostCommand, missingHostPackages } from './host-packages.ts';

describe('missingHostPackages', () => {
  it('names each package once, sorted, by the commands and files that are not there', async () => {
    const needs = [
      { file: 'no-such-tool', package: 'zeta' },
      { file: 'no-such-other-tool', package: 'zeta' },
      { file: '/no/such/keyring.gpg', package: 'alpha' },
      { file: 'sh', package: 'dash' },
    ];
    expect(await missingHostPackages(needs)).toEqual(['alpha', 'zeta']);
  });
});

describe('hostCommand', () => {
  it('fails as a provider failure', async () => {
    await expect(hostCommand(['false'])).rejects.toMatchObject({ code: 'E_PROVIDER' });
  });
});
