import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
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

const run = (...flags: string[]) =>
  execFileSync(process.execPath, [...flags, '--input-type=module', '-e', SCRIPT], {
    encoding: 'utf8',
    timeout: 60_000,
  });

it('gives back what nobody uses once there is nothing to do', () => {
  expect(run('--expose-gc')).toBe('small\n');
});
