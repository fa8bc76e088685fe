import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

interface Bundler {
  makeBundle(dist: string): Promise<void>;
  mainModule(dist: string): string;
}

const bundler: Bundler = await import(new URL('../bundle.js', import.meta.url).href);
const source = fileURLToPath(new URL('./main.ts', import.meta.url));
let dist: string;

beforeAll(async () => {
  dist = await mkdtemp(join(tmpdir(), 'sl-bundle-'));
  await bundler.makeBundle(dist);
});
afterAll(() => rm(dist, { recursive: true }));

describe('the bundle of sl', () => {
  it('is what starts', () => {
    const main = bundler.mainModule(dist);
    expect(main).toBe(join(dist, 'main.cjs'));
    expect(createRequire(import.meta.url)(main)).toMatchObject({
      main: expect.any(Function),
      endWithOutput: expect.any(Function),
    });
  });

  it('can say what is wrong with what it is given', async () => {
    // From zod's English, which is loaded for its effect alone.
    expect(await readFile(join(dist, 'main.cjs'), 'utf8')).toContain('Invalid input: expected');
  });

  it('is left alone once a file that it was made of is another one, or gone, and where there is none', async () => {
    const path = join(dist, 'inputs.json');
    const inputs = await readFile(path, 'utf8');
    const last = 'packages/cli/src/program.ts';
    for (const changed of [
      inputs.replace(/("packages\/cli\/src\/program.ts",")\d+/, '$11'),
      inputs.replace(last, `${last}.gone`),
    ]) {
      expect(changed).not.toBe(inputs);
      await writeFile(path, changed);
      expect(bundler.mainModule(dist)).toBe(source);
    }
    await writeFile(path, inputs);
    expect(bundler.mainModule(dist)).not.toBe(source);
    await rename(join(dist, 'main.cjs'), join(dist, 'main.js'));
    expect(bundler.mainModule(dist)).toBe(source);
    expect(bundler.mainModule(join(dist, 'none'))).toBe(source);
  });
});
