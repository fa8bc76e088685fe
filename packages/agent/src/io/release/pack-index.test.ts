import { rmSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { indexLine } from '@silverlining/system';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Pack } from './pack.ts';
import { PackIndex, readPlaces } from './pack-index.ts';

const key = (i: number) => i.toString(16).padStart(64, '0');
const place = (i: number) => ({ offset: 4096 * i, size: i });
const lines = (...numbers: number[]) => numbers.map((i) => indexLine(key(i), place(i))).join('');
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sl-index-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function written(text: string): Promise<string> {
  await writeFile(join(folder, 'contents'), text);
  return join(folder, 'contents');
}

describe('the index of a pack', () => {
  it('says the same of a few contents as of many', async () => {
    const numbers = Array.from({ length: 300 }, (_, i) => i);
    const index = new PackIndex(await written(lines(...numbers.filter((i) => i % 2 === 0))));
    for (const i of [...numbers, ...numbers]) expect(index.find(key(i))).toEqual(i % 2 === 0 ? place(i) : undefined);
  });

  it.each([1, 16, 17, 300])('says of %i at once what it says of each', async (count) => {
    const damaged = `${key(2)} x 1\n${lines(4)}${key(4)} 0 -\n`;
    const text = lines(...Array.from({ length: 200 }, (_, i) => 2 * i).filter((i) => i !== 2 && i !== 4));
    const index = new PackIndex(await written(`${text}${damaged}${indexLine(`${key(7)}.x`, place(7))}`));
    const keys = Array.from({ length: count }, (_, i) => key(i + 1));
    const found = new Set(index.among(new Set(keys)));
    expect(keys.map((it) => found.has(it))).toEqual(keys.map((it) => index.find(it) !== undefined));
    expect([found.has(key(2)), found.has(key(4)), found.has(key(7))]).toEqual([false, count >= 4, false]);
  });

  it('tells an executable from a file of the same content', async () => {
    const path = await written(indexLine(`${key(1)}.x`, place(7)));
    const index = new PackIndex(path);
    expect([index.find(key(1)), index.find(`${key(1)}.x`)]).toEqual([undefined, place(7)]);
  });

  it('counts what is said last, and no line that is cut or damaged', async () => {
    const moved = indexLine(key(1), place(9));
    const path = await written(
      `${lines(1, 2)}${moved}${key(2)} x 1\n${lines(3)}${indexLine(key(4), place(4)).slice(0, -1)}`,
    );
    const index = new PackIndex(path);
    const wanted = [place(9), place(2), place(3), undefined];
    expect([1, 2, 3, 4].map((i) => index.find(key(i)))).toEqual(wanted);
    expect([1, 2, 3, 4].map((i) => readPlaces(path).get(key(i)))).toEqual(wanted);
  });

  it('says the same of what stands anywhere in it, in a part that is read by itself or across two', async () => {
    const noise = '0'.repeat(40_000);
    const text = `${lines(...Array.from({ length: 300 }, (_, i) => i))}${noise}\n${lines(300, 301)}${noise}`;
    const path = await written(text);
    const found = [0, 150, 200, 201, 299, 300, 301, 302].map((i) => new PackIndex(path).find(key(i))?.size);
    expect(found).toEqual([0, 150, 200, 201, 299, 300, 301, undefined]);
    // Each of them is looked for in the file.
    const all = Array.from({ length: 300 }, (_, i) => new PackIndex(path).find(key(i))?.offset);
    expect(all).toEqual(Array.from({ length: 300 }, (_, i) => place(i).offset));
  });

  it('is empty when it is not there', () => {
    expect(new PackIndex(join(folder, 'contents')).find(key(1))).toBeUndefined();
  });
});

describe('a pack that became an image', () => {
  it('has what its index says, without what was forgotten, until that is added again', async () => {
    await written(lines(1, 2));
    const pack = Pack.image(folder);
    expect([pack.find(key(1)), pack.find(key(2)), pack.find(key(3))]).toEqual([place(1), place(2), undefined]);
    pack.forget(key(1));
    expect(pack.among(new Set([key(1), key(2), key(3)]))).toEqual([key(2)]);
    expect([pack.find(key(1)), [...pack.keys]]).toEqual([undefined, [key(2)]]);
    expect(pack.among(new Set([key(1), key(2), key(3)]))).toEqual([key(2)]);
    pack.add(key(1), place(8));
    pack.rest();
    await written(lines(1, 2) + indexLine(key(1), place(8)));
    expect([pack.find(key(1)), pack.find(key(2))]).toEqual([place(8), place(2)]);
  });

  it('does not have what was left by an interruption and never looked at', async () => {
    await written(lines(1, 2));
    const pack = Pack.found(folder);
    pack.add(key(3), place(3));
    await written(lines(1, 2, 3));
    pack.rest();
    expect([1, 2, 3].map((i) => pack.find(key(i)))).toEqual([undefined, undefined, place(3)]);
  });

  it('passes over a line without a key', async () => {
    const path = await written(`${lines(1)} 4096 7\n${lines(2)}`);
    expect([...readPlaces(path).keys()]).toEqual([key(1), key(2)]);
  });

  it('names keys of its lines without a table, also where the rest of a line is damaged', async () => {
    const index = new PackIndex(await written(`${lines(1)}${key(2)} x 1\n`));
    const asked = new Set([key(1), key(2), key(3)]);
    index.strike(asked);
    new PackIndex('/nowhere').strike(asked);
    expect([...asked]).toEqual([key(3)]);
  });
});
