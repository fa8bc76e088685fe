/** Makes the apps that are deployed: trees of files whose contents follow from a seed, so that a run can be repeated. */
import { createCipheriv, createHash } from 'node:crypto';
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface AppShape {
  name: 'small' | 'medium' | 'large';
  files: number;
  bytes: number;
  /** What the table says of it, and of its change. */
  title: string;
  change: string;
}

const MB = 1_000_000;

/** `medium` is the one that the goals are about. */
export const SHAPES: readonly AppShape[] = [
  { name: 'small', files: 1_000, bytes: 9.2 * MB, title: '1,000 files, 9.2 MB', change: '1 file changed' },
  { name: 'medium', files: 10_000, bytes: 92 * MB, title: '10,000 files, 92 MB', change: '1 file changed' },
  { name: 'large', files: 1, bytes: 500 * MB, title: 'one file of 500 MB', change: '1 MB in it changed' },
];

/** What a node must answer with once a version is live. */
export interface Probe {
  path: string;
  /** Bytes of the file, first and last. */
  range: readonly [number, number];
  sha256: string;
}

const CHANGED_FILE = 'index.html';
const LARGE_FILE = 'disk.img';
/** Of the files of small and medium: the size of the one that changes, and the share whose content is text. */
const CHANGED_SIZE = 9_200;
const TEXT_OF_FIVE = 3;

/** Writes the app for the seed into `dir`. No path but that of the changing file is that of another seed, and no content. */
export async function writeApp(shape: AppShape, dir: string, seed: number): Promise<Probe> {
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  if (shape.name === 'large') await writeLarge(join(dir, LARGE_FILE), shape.bytes, seed);
  else await writeTree(shape, dir, seed);
  return changeApp(shape, dir, `${seed}.0`);
}

/** Changes the one file that changes; the label decides its content. */
export async function changeApp(shape: AppShape, dir: string, label: string): Promise<Probe> {
  if (shape.name !== 'large') {
    const content = Buffer.from(text(CHANGED_SIZE, hashNumber(label)));
    await writeFile(join(dir, CHANGED_FILE), content);
    return { path: `/${CHANGED_FILE}`, range: [0, content.length - 1], sha256: sha256(content) };
  }
  const content = noise(MB, label);
  const position = shape.bytes / 2;
  const file = await open(join(dir, LARGE_FILE), 'r+');
  try {
    await file.write(content, 0, content.length, position);
  } finally {
    await file.close();
  }
  return { path: `/${LARGE_FILE}`, range: [position, position + MB - 1], sha256: sha256(content) };
}

export function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

async function writeLarge(path: string, bytes: number, seed: number): Promise<void> {
  const file = await open(path, 'w');
  try {
    for (let at = 0; at < bytes; at += 10 * MB) await file.write(noise(10 * MB, `${seed}/${at}`));
  } finally {
    await file.close();
  }
}

async function writeTree(shape: AppShape, dir: string, seed: number): Promise<void> {
  const random = randomFrom(seed);
  // Sizes as they are in real sites: many small files, a few large ones.
  const weights = Array.from({ length: shape.files - 1 }, () => Math.exp(1.2 * gauss(random)));
  const scale = (shape.bytes - CHANGED_SIZE) / weights.reduce((sum, it) => sum + it, 0);
  const made = new Set<string>();
  for (const [i, weight] of weights.entries()) {
    const size = Math.round(weight * scale);
    const isText = i % 5 < TEXT_OF_FIVE;
    const path = join(dir, `site-${seed}/part-${i % 97}/file-${i}.${isText ? 'js' : 'png'}`);
    if (!made.has(dirname(path))) await mkdir(dirname(path), { recursive: true });
    made.add(dirname(path));
    await writeFile(path, isText ? text(size, seed * 1e6 + i) : noise(size, `${seed}/${i}`));
  }
}

/** Bytes that nothing can compress. */
export function noise(size: number, seed: string): Buffer {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}

/** Text that compresses about as well as scripts and pages do. */
function text(size: number, seed: number): string {
  const random = randomFrom(seed);
  const words: string[] = [];
  for (let length = 0; length < size; ) {
    // Squared: some words are much more frequent than others.
    const word = VOCABULARY[Math.floor(random() ** 2 * VOCABULARY.length)] ?? '';
    words.push(word);
    length += word.length + 1;
  }
  return words.join(' ').slice(0, size);
}

const VOCABULARY = (() => {
  const random = randomFrom(1);
  const letter = () => String.fromCharCode(97 + Math.floor(random() * 26));
  return Array.from({ length: 4_000 }, () => Array.from({ length: 3 + Math.floor(random() * 8) }, letter).join(''));
})();

/** Numbers from 0 to 1 that follow from the seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function gauss(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

function hashNumber(label: string): number {
  return createHash('sha256').update(label).digest().readUInt32BE(0);
}
