import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

interface Bundler {
  makeBundle(dist: string): Promise<void>;
  mainModule(dist: string): string;
}

const bundler: Bundler = await import(new URL('../bundle.js', import.meta.url).href);
const source = new URL('./main.ts', import.meta.url).href;
let dist: string;

beforeAll(async () => {
  dist = await mkdtemp(join(tmpdir(), 'sl-bundle-'));
  await bundler.makeBundle(dist);
});
afterAll(() => rm(dist, { recursive: true }));

describe('the bundle of sl', () => {
  it('is what starts', async () => {
    const main = bundler.mainModule(dist);
    expect(main).toBe(pathToFileURL(join(dist, 'main.js')).href);
    expect(await import(main)).toMatchObject({
      main: expect.any(Function),
      endWithOutput: expect.any(Function),
    });
  });

  it('can say what is wrong with what it is given', async () => {
    const files = (await readdir(dist)).filter((name) => name.endsWith('.js'));
    const texts = await Promise.all(files.map((name) => readFile(join(dist, name), 'utf8')));
    // From zod's English, which is loaded for its effect alone.
    expect(texts.join('')).toContain('Invalid input: expected');
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
    expect(bundler.mainModule(join(dist, 'none'))).toBe(source);
  });
});
