import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

/** A process with 40 MB of dead objects that are old enough for V8 to leave them where they are. */
const SCRIPT = `
import { keepSmall } from ${JSON.stringify(join(import.meta.dirname, 'memory.ts'))};
keepSmall({ signal: new AbortController().signal, tick: 100 });
const hold = Array.from({ length: 400_000 }, (_, i) => ({ path: String(i) + 'x'.repeat(10), i }));
const full = process.memoryUsage().heapUsed;
hold.length = 0;
const look = setInterval(() => {
  if (process.memoryUsage().heapUsed > full / 3) return;
  console.log('small');
  clearInterval(look);
}, 50);
`;

/** What it prints. Nearly all of its time it waits, as do the others meanwhile. */
async function run(script: string, ...flags: string[]): Promise<string> {
  const args = [...flags, '--input-type=module', '-e', script];
  return (await promisify(execFile)(process.execPath, args, { timeout: 60_000 })).stdout;
}

it.concurrent('gives back what nobody uses once there is nothing to do', async () => {
  expect(await run(SCRIPT, '--expose-gc')).toBe('small\n');
});

/** A process that was small before it took in 8 MB of buffers, which are old and dead now and take little of V8's own heap. */
const BUFFERS = `
import { setTimeout } from 'node:timers/promises';
import { keepSmall } from ${JSON.stringify(join(import.meta.dirname, 'memory.ts'))};
keepSmall({ signal: new AbortController().signal, tick: 50 });
await setTimeout(500);
const before = process.memoryUsage().external;
const hold = Array.from({ length: 8 }, () => Buffer.alloc(1 << 20));
gc();
gc();
hold.length = 0;
while (process.memoryUsage().external > before + (1 << 20)) await setTimeout(50);
console.log('small');
process.exit();
`;

it.concurrent('gives buffers back as well', async () => {
  expect(await run(BUFFERS, '--expose-gc')).toBe('small\n');
});

/** A process that counts how often all is collected. */
const COUNTED = `
import { setTimeout } from 'node:timers/promises';
import { keepSmall } from ${JSON.stringify(join(import.meta.dirname, 'memory.ts'))};
const collect = gc;
let times = 0;
globalThis.gc = (how) => {
  if (how.type === 'major') times++;
  collect(how);
};
`;

/** A process that takes in 1 MB every now and then, on an idle processor; it prints how often all was collected meanwhile. */
const AT_WORK = `${COUNTED}keepSmall({ signal: new AbortController().signal, tick: 100, idle: 1 });
const hold = [];
for (let i = 0; i < 40; i++) {
  hold.push(Buffer.alloc(1 << 20));
  await setTimeout(20);
}
console.log(times);
while (times === 0) await setTimeout(20);
process.exit();
`;

it.concurrent('leaves a process alone that takes in more and more, and comes when it has done so', async () => {
  expect(await run(AT_WORK, '--expose-gc')).toBe('0\n');
});

/** A process with much that is dead, which uses next to nothing of the processor; it prints how often all was collected while somebody waits. */
const WAITED_FOR = `${COUNTED}let isBusy = true;
keepSmall({ signal: new AbortController().signal, tick: 50, idle: 1, isBusy: () => isBusy });
let hold = Buffer.alloc(8 << 20);
await setTimeout(500);
hold = undefined;
await setTimeout(500);
console.log(times);
isBusy = false;
while (times === 0) await setTimeout(20);
process.exit();
`;

it.concurrent('leaves a process alone while somebody waits for it', async () => {
  expect(await run(WAITED_FOR, '--expose-gc')).toBe('0\n');
});

/** A process through which 100 MB of buffers go, none of which lives on; it prints the most that they had, in MiB. */
const PASSING = `
import { setTimeout } from 'node:timers/promises';
import { createSweep } from ${JSON.stringify(join(import.meta.dirname, 'memory.ts'))};
const sweep = createSweep();
let most = 0;
for (let i = 0; i < 800; i++) {
  sweep(Buffer.allocUnsafe(128 << 10).length);
  // What a collection freed is counted by another thread, a little later.
  await setTimeout(1);
  most = Math.max(most, process.memoryUsage().arrayBuffers);
}
console.log(most >> 20);
`;

it.concurrent('frees buffers that are done with long before there are 64 MiB of them', async () => {
  expect(Number(await run(PASSING, '--expose-gc'))).toBeLessThan(32);
});
