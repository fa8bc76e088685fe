/**
 * Memory of an agent over a thousand deploys of a small app on one local node: prints it every hundred, beside a Node process
 * that does nothing. Needs root. `npm run bench:memory [DEPLOYS]`; bounded by that number and half an hour.
 */
import { setTimeout } from 'node:timers/promises';
import { agentMemory, bareMemory } from '../e2e/support/agent-memory.ts';
import { type TestNode, testNodes } from '../e2e/support/nodes.ts';
import { sl, slJson } from '../e2e/support/sl.ts';
import { copyExample, type Workspace } from '../e2e/support/workspace.ts';

const SET = 'bench-memory';
const DEPLOYS = Number(process.argv[2] ?? 1_000);
const EVERY = 100;
const LIMIT = 30 * 60_000;
/** Milliseconds in which an agent with nothing to do gives back what it does not need. */
const REST = 60_000;

async function main(): Promise<void> {
  const work = await copyExample('static', SET);
  try {
    await work.edit('silver.ini', 'pages.test', `${SET}.test`);
    await slJson(['up', '-f', work.file, '--yes']);
    const [node] = (await testNodes(SET)).values();
    if (node === undefined) throw new Error('the set has no node');
    await measure(work, node);
  } finally {
    await sl(['down', '-f', work.file, '--yes']);
    await work.remove();
  }
}

async function measure(work: Workspace, node: TestNode): Promise<void> {
  const { rss: bare } = await bareMemory(node);
  print(`node that does nothing: ${megabytes(bare)}`);
  print('deploys  agent RSS  PSS      of a bare node');
  await report(node, { done: 0, bare });
  const end = performance.now() + LIMIT;
  for (let done = 1; done <= DEPLOYS && performance.now() < end; done++) {
    await work.write('app/static/count.txt', `${done}\n`);
    await slJson(['deploy', '-f', work.file]);
    if (done % EVERY === 0 || done === DEPLOYS) await report(node, { done, bare });
  }
}

async function report(node: TestNode, { done, bare }: { done: number; bare: number }): Promise<void> {
  await setTimeout(REST);
  const { rss, pss } = await agentMemory(node);
  const columns = [String(done).padEnd(7), megabytes(rss).padEnd(9), megabytes(pss).padEnd(7)];
  print(`${columns.join('  ')}  ${(rss / bare).toFixed(2)}`);
}

function megabytes(kibibytes: number): string {
  return `${(kibibytes / 1024).toFixed(1)} MB`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
