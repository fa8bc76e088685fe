import { closeSync, writeSync } from 'node:fs';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { daemonLogPath, lastLogLines, openDaemonLog, putLogAside, readLog } from './daemon-log.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'sl-log-'));
});
afterEach(() => rm(home, { recursive: true }));

describe('the daemon’s log', () => {
  it('is read by its last lines, then as it grows, whole lines only', async () => {
    const path = join(home, 'controller.log');
    await writeFile(path, 'one\ntwo\nthree\nhal');
    const last = lastLogLines(path, 2);
    expect(last.lines).toEqual(['two', 'three']);
    await writeFile(path, `${await readFile(path, 'utf8')}f\nnext\n`);
    expect(readLog(path, last.position)).toEqual({ lines: ['half', 'next'], position: 24 });
  });

  it('that was put aside for a new one is read from the new one’s beginning', async () => {
    const path = join(home, 'controller.log');
    await writeFile(path, 'new\n');
    expect(readLog(path, 5000).lines).toEqual(['new']);
  });

  it('that has become large is put aside, and goes on where it is', async () => {
    const { descriptor } = openDaemonLog(home);
    const large = `${'x'.repeat(8 << 20)}\n`;
    for (const text of [large, 'next\n']) {
      writeSync(descriptor, text);
      putLogAside(home);
    }
    closeSync(descriptor);
    expect(await readFile(daemonLogPath(home), 'utf8')).toBe('next\n');
    expect((await readFile(`${daemonLogPath(home)}.1`)).length).toBe(large.length);
  });

  it('gives as many of its last lines as are asked for, however far back they begin', async () => {
    const path = join(home, 'controller.log');
    const all = Array.from({ length: 5000 }, (_, i) => `${i} ${'x'.repeat(90)}`);
    await writeFile(path, `${all.join('\n')}\n`);
    expect(lastLogLines(path, 1500).lines).toEqual(all.slice(-1500));
    expect(lastLogLines(path, 9000)).toEqual({ lines: all, position: (await readFile(path)).length });
    expect(lastLogLines(path, 0).lines).toEqual([]);
  });

  it.each([100_000, (4 << 20) + 9])('is followed past a line of %i bytes', async (length) => {
    const path = join(home, 'controller.log');
    await writeFile(path, `${'x'.repeat(length)}\nnext\n`);
    const lines: string[] = [];
    let position = 0;
    for (let more = readLog(path, position); more.lines.length > 0; more = readLog(path, position)) {
      lines.push(...more.lines);
      position = more.position;
    }
    expect([lines.at(-1), lines.join('').length]).toEqual(['next', length + 4]);
    expect(lastLogLines(path, 2).lines.map((line) => line.length)).toEqual([length, 4]);
  });

  it('that cannot be read is named', async () => {
    await symlink('controller.log', join(home, 'controller.log'));
    const read = () => lastLogLines(join(home, 'controller.log'), 1);
    expect(read).toThrow(expect.objectContaining({ code: 'E_CONTROLLER' }));
  });
});
