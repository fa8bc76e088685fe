import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, it, vi } from 'vitest';
import { Failpoints, parseFailpoints } from './failpoints.ts';

const port = () => ({
  calls: [] as string[],
  size: 3,
  async put(name: string) {
    this.calls.push(name);
    return name.length;
  },
  now(): number {
    return this.size;
  },
});

it.each([
  'put',
  'journals.put',
  'journals.put=burn',
  'journals.put=sleep',
  'journals.put=kill:3',
  'store.receive=flip',
  'journals.put@0=kill',
])('%s is no failpoint', (text) => {
  expect(() => parseFailpoints(text)).toThrow(`${text} is no failpoint`);
});

it('acts before or after the call, at the time that is named, and once', async () => {
  const real = port();
  const it = new Failpoints('journals.put@2=ENOSPC, journals.put.done=error').wrap('journals', real);
  await expect(it.put('first')).rejects.toMatchObject({ code: 'E_INTERNAL' });
  await expect(it.put('second')).rejects.toMatchObject({ code: 'ENOSPC' });
  await expect(it.put('third')).resolves.toBe(5);
  expect(real.calls).toEqual(['first', 'third']);
});

it('leaves everything else as it is, synchronous methods and values included', async () => {
  const it = new Failpoints('journals.put=error').wrap('journals', port());
  expect([it.now(), it.size]).toEqual([3, 3]);
});

it('damages a stream that is passed on', async () => {
  const port = { read: (stream: Readable) => buffer(stream) };
  const it = new Failpoints('store.read=flip:3').wrap('store', port);
  const stream = () => Readable.from([Buffer.from([1, 2]), Buffer.from([3, 4, 5])]);
  expect([...(await it.read(stream()))]).toEqual([1, 2, 3, 4 ^ 0xff, 5]);
  expect([...(await it.read(stream()))]).toEqual([1, 2, 3, 4, 5]);
});

it('names a call after what is asked', async () => {
  const it = new Failpoints('fleet.put-one=error').wrap('fleet', port(), (_method, [first]) => `put-${first}`);
  await it.put('two');
  await expect(it.put('one')).rejects.toMatchObject({ code: 'E_INTERNAL' });
});

it('can be armed while it runs, and is taken out of the file before it acts', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sl-failpoint-'));
  const file = join(folder, 'list');
  const it = new Failpoints(`@${file}`).wrap('journals', port());
  await it.put('unarmed');
  await writeFile(file, 'journals.put=error,journals.put@2=ENOSPC');
  await expect(it.put('armed')).rejects.toMatchObject({ code: 'E_INTERNAL' });
  expect(await readFile(file, 'utf8')).toBe('journals.put@2=ENOSPC');
  await expect(it.put('armed')).rejects.toMatchObject({ code: 'ENOSPC' });
  await it.put('disarmed');
  await rm(folder, { recursive: true });
});

it('kills the process', () => {
  const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
  void new Failpoints('journals.put=kill').wrap('journals', port()).put('x');
  expect(kill.mock.calls).toEqual([[process.pid, 'SIGKILL']]);
  kill.mockRestore();
});
