import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { RUNTIME_INTEGRITY, RUNTIME_VERSION } from './runtimes.ts';

it('the runtime is the one that npm installs', async () => {
  const lock = JSON.parse(await readFile(join(import.meta.dirname, '../../../../package-lock.json'), 'utf8'));
  for (const arch of ['x64', 'arm64'] as const) {
    expect(lock.packages[`node_modules/node-linux-${arch}`]).toMatchObject({
      version: RUNTIME_VERSION,
      integrity: RUNTIME_INTEGRITY[arch],
    });
  }
});
