import { rmSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { changeApp, SHAPES, sha256, writeApp } from './bench/apps.ts';
import { documentText } from './bench/document.ts';
import { goalRows } from './bench/goals.ts';
import type { Measurement } from './bench/meter.ts';
import { readOptions } from './bench/options.ts';
import type { Part } from './bench/results.ts';
import { median, partTables } from './bench/table.ts';
import { folderDigest } from './bench/verify.ts';

const SMALL = SHAPES.find(({ name }) => name === 'small') ?? SHAPES[0];

function measured(seconds: number): Measurement {
  return {
    seconds,
    onDisk: seconds + 1,
    sent: 2e6,
    received: 0,
    toolCpu: 1,
    nodeCpu: 2,
    toolMemory: 3e6,
    agentMemory: 4e6,
  };
}

function partOf(ours: readonly number[], theirs: readonly number[]): Part {
  const tool = (title: string, all: readonly number[]) => ({
    title,
    how: 'as ever',
    runs: { change: all.map(measured) },
  });
  return {
    ...{ name: 'medium', title: 'files', nodes: 10, runs: 3, date: '', commit: '', machine: '2 cores', load: 0 },
    operations: [{ name: 'change', title: '1 file changed' }],
    tools: [tool('Silver Lining', ours), tool('Capistrano', theirs)],
  };
}

describe('figures', () => {
  it('the median is the middle one, or between the two in the middle', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  it('a table has medians, how far they spread, and how many times as long the others took', () => {
    const [, , row] = partTables(partOf([1, 0.5, 4], [8, 10, 12]));
    expect(row).toBe('| 1 file changed | **1.00 s** (0.5–4.0) | 10.0 s (8.0–12.0), 10x |');
  });

  it('a goal is met or missed by the medians', () => {
    const of = (part: Part) => goalRows(part, '').filter((row) => /1 file of|Capistrano/.test(row));
    expect(of(partOf([0.9], [9]))).toEqual([
      '| 1 file of 10,000 changed: 1 s | 0.90 s | met |',
      '| … 9 times as fast as Capistrano | 10x | met |',
    ]);
    expect(of(partOf([1.1], [9]))).toEqual([
      '| 1 file of 10,000 changed: 1 s | 1.10 s | **missed** |',
      '| … 9 times as fast as Capistrano | 8.2x | **missed** |',
    ]);
  });
});

describe('the document', () => {
  const text = (before: string, part: Part) => documentText(before, { machine: ['Machine: 2 cores'], part });
  const other: Part = { ...partOf([2], [3]), name: 'small', title: 'few files' };

  it('has a part as it was measured last, and the others as they were', () => {
    const first = text(text('', partOf([0.9], [9])), other);
    const again = text(first, partOf([1.1], [9]));
    expect(again.match(/^### .*$/gm)).toEqual([
      ...['### Goals', '### files, 10 nodes', '### few files, 10 nodes'],
      ...['### On what', '### How it is measured', '### Run it again'],
    ]);
    expect([first, again].map((it) => it.match(/\*\*[0-9.]+ s\*\*/g))).toEqual([
      ['**0.90 s**', '**2.00 s**'],
      ['**1.10 s**', '**2.00 s**'],
    ]);
    expect(text(again, other)).toBe(again);
  });

  it('keeps what it says of the goals of other parts', () => {
    const before = text('', partOf([0.9], [9]));
    expect(text(before, other)).toContain('| 1 file of 10,000 changed: 1 s | 0.90 s | met |');
  });
});

describe('options', () => {
  it('without any all is measured, on ten nodes, and kept', () => {
    expect(readOptions([])).toEqual({ nodes: 10, runs: 3, shapes: SHAPES, roles: true, tune: false, keep: true });
  });

  it('a try on fewer nodes is not kept', () => {
    const options = readOptions(['--nodes', '3', '--apps', 'small', '--runs', '1']);
    expect(options).toMatchObject({ nodes: 3, runs: 1, roles: false, keep: false });
    expect(options.shapes.map(({ name }) => name)).toEqual(['small']);
  });

  it('names what it does not know', () => {
    expect(() => readOptions(['--apps', 'huge'])).toThrow('no app huge; there are small, medium, large');
    expect(() => readOptions(['--runs', '0'])).toThrow('--runs has to be a whole number from 1 on, not 0');
  });
});

describe('the app', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'sl-bench-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('follows from its seed, and shares nothing with that of another', async () => {
    if (SMALL === undefined) throw new Error('no small app');
    const app = join(dir, 'app');
    const shape = { ...SMALL, files: 20, bytes: 200_000 };
    await writeApp(shape, app, 1);
    const first = await folderDigest(app);
    await writeApp(shape, app, 2);
    const second = await folderDigest(app);
    await writeApp(shape, app, 1);
    expect(await folderDigest(app)).toBe(first);
    expect(second).not.toBe(first);
  });

  it('changes in one file, to what the probe says', async () => {
    if (SMALL === undefined) throw new Error('no small app');
    const shape = { ...SMALL, files: 5, bytes: 50_000 };
    await writeApp(shape, dir, 1);
    const probe = await changeApp(shape, dir, 'next');
    const content = await readFile(join(dir, probe.path));
    expect(sha256(content)).toBe(probe.sha256);
    expect(content.length).toBe(probe.range[1] + 1);
  });
});
