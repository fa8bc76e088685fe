/**
 * The most memory that controller and agent take for a deploy of 2 GB to one local node: one file, a change in it, and 2,000 files.
 * Needs root and 10 GB on the disk. `npm run bench:large [MEGABYTES]`.
 */
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readDaemonFile } from '../../packages/controller/src/io/daemon.ts';
import { findDirectories } from '../../packages/controller/src/io/directories.ts';
import { agentPeak, forgetAgentPeak } from '../e2e/support/agent-memory.ts';
import { type TestNode, testNodes } from '../e2e/support/nodes.ts';
import { sl, slJson } from '../e2e/support/sl.ts';
import { copyExample, type Workspace } from '../e2e/support/workspace.ts';
import { noise } from './apps.ts';
import { forgetPeak, peakMemory } from './peak-memory.ts';

const SET = 'bench-large';
const MB = 1_000_000;
const MEGABYTES = Number(process.argv[2] ?? 2_000);
/** Bytes made at once. */
const BLOCK = 4 * MB;

async function main(): Promise<void> {
  // Other folders for temporary files may be in memory.
  process.env.TMPDIR ??= '/var/tmp';
  const work = await copyExample('static', SET);
  try {
    await work.edit('silver.ini', 'pages.test', `${SET}.test`);
    await slJson(['up', '-f', work.file, '--yes']);
    const [node] = (await testNodes(SET)).values();
    if (node === undefined) throw new Error('the set has no node');
    print('deploy of                     controller   agent');
    await measure(work, node);
  } finally {
    await sl(['down', '-f', work.file, '--yes']);
    await work.remove();
  }
}

async function measure(work: Workspace, node: TestNode): Promise<void> {
  const folder = join(work.dir, 'app/static/large');
  await mkdir(folder);
  await deploy(work, node, 'a small app');
  await fill(join(folder, 'disk.img'), MEGABYTES * MB);
  await deploy(work, node, `one file of ${MEGABYTES} MB`);
  await change(join(folder, 'disk.img'), (MEGABYTES * MB) / 2);
  await deploy(work, node, '1 MB in its middle changed');
  await rm(join(folder, 'disk.img'));
  for (let i = 0; i < MEGABYTES; i++) await fill(join(folder, `part-${i}`), MB);
  await deploy(work, node, `${MEGABYTES} files of 1 MB`);
}

async function deploy(work: Workspace, node: TestNode, what: string): Promise<void> {
  const controller = readDaemonFile(findDirectories().state);
  if (controller === undefined) throw new Error('no controller runs');
  await forgetPeak(controller.pid);
  await forgetAgentPeak(node);
  await slJson(['deploy', '-f', work.file]);
  const [ours, theirs] = [await peakMemory(controller.pid), (await agentPeak(node)) * 1024];
  print(`${what.padEnd(28)}  ${megabytes(ours).padEnd(11)}  ${megabytes(theirs)}`);
}

async function fill(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'w');
  try {
    for (let at = 0; at < bytes; at += BLOCK) await file.write(noise(Math.min(BLOCK, bytes - at), `${path} ${at}`));
  } finally {
    await file.close();
  }
}

async function change(path: string, position: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.write(noise(MB, 'changed'), 0, MB, position);
  } finally {
    await file.close();
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / MB).toFixed(0)} MB`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
