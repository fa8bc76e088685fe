import { chmod, lstat, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createWorkstationHosts } from './workstation-hosts.ts';

// Not UTF-8, with CRLF, tabs and a look-alike of a marker: none of it is ours to change.
const OTHERS = Buffer.concat([
  Buffer.from('127.0.0.1\tlocalhost\r\n# BEGIN silverlining demo2\n10.9.9.9 a\n# END silverlining demo2\n'),
  Buffer.from([0x23, 0xff, 0xfe, 0x00, 0x0a]),
]);
const LINES = ['10.0.0.1 app1.demo.internal app1', '10.0.0.2 app2.demo.internal app2'];
const BLOCK = `# BEGIN silverlining demo\n${LINES.join('\n')}\n# END silverlining demo\n`;

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sl-hosts-'));
  file = join(directory, 'hosts');
  await writeFile(file, OTHERS, { mode: 0o664 });
  await chmod(file, 0o664);
});
afterEach(() => rm(directory, { recursive: true }));

describe('the block of a set', () => {
  it('is added, replaced where it stands, and removed, with everything else as it was', async () => {
    const hosts = createWorkstationHosts(file);
    expect(await hosts.current('demo')).toEqual([]);
    expect(await hosts.write('demo', LINES)).toBe(true);
    expect(await readFile(file)).toEqual(Buffer.concat([OTHERS, Buffer.from(BLOCK)]));
    expect(await hosts.current('demo')).toEqual(LINES);
    expect(await hosts.write('demo', LINES)).toBe(false);

    await writeFile(file, Buffer.concat([Buffer.from(BLOCK), OTHERS, Buffer.from(BLOCK)]));
    expect(await hosts.write('demo', ['10.0.0.3 x'])).toBe(true);
    expect(await readFile(file)).toEqual(
      Buffer.concat([Buffer.from(BLOCK.replace(LINES.join('\n'), '10.0.0.3 x')), OTHERS]),
    );
    expect(await hosts.write('demo', [])).toBe(true);
    expect(await readFile(file)).toEqual(OTHERS);
    expect(await hosts.write('demo', [])).toBe(false);
    expect((await stat(file)).mode & 0o777).toBe(0o664);
    expect(await readdir(directory)).toEqual(['.hosts.silverlining.lock', 'hosts']);
  });

  it('starts on a line of its own', async () => {
    await writeFile(file, '127.0.0.1 localhost');
    await createWorkstationHosts(file).write('demo', LINES);
    expect(await readFile(file, 'utf8')).toBe(`127.0.0.1 localhost\n${BLOCK}`);
  });

  it('without an end is left alone, and named', async () => {
    await writeFile(file, 'a\n# BEGIN silverlining demo\n10.0.0.1 x\n');
    const written = createWorkstationHosts(file).write('demo', LINES);
    await expect(written).rejects.toMatchObject({ code: 'E_HOSTS_FILE', message: expect.stringContaining('line 2') });
    expect(await readFile(file, 'utf8')).toBe('a\n# BEGIN silverlining demo\n10.0.0.1 x\n');
  });

  it('cannot be given a line that is two', async () => {
    const written = createWorkstationHosts(file).write('demo', ['10.0.0.1 x\n6.6.6.6 bank.example']);
    await expect(written).rejects.toMatchObject({ code: 'E_INTERNAL' });
    expect(await readFile(file)).toEqual(OTHERS);
  });
});

describe('the file', () => {
  it('is written by many at once without one block lost', async () => {
    const sets = Array.from({ length: 4 }, (_, i) => `set${i}`);
    // Two instances know nothing of each other, like two processes: only the lock file is between them.
    const [a, b] = [createWorkstationHosts(file), createWorkstationHosts(file)];
    await Promise.all(sets.map((set, i) => (i % 2 === 0 ? a : b).write(set, [`10.0.0.${i} ${set}`])));
    for (const [i, set] of sets.entries()) expect(await a.current(set)).toEqual([`10.0.0.${i} ${set}`]);
    await Promise.all(sets.map((set, i) => (i % 2 === 0 ? a : b).write(set, [])));
    expect(await readFile(file)).toEqual(OTHERS);
  });

  it('may be behind a symbolic link, which stays', async () => {
    const link = join(directory, 'link');
    await symlink('hosts', link);
    expect(await createWorkstationHosts(link).write('demo', LINES)).toBe(true);
    expect(await readFile(file)).toEqual(Buffer.concat([OTHERS, Buffer.from(BLOCK)]));
    expect((await lstat(link)).isSymbolicLink()).toBe(true);
  });

  it('that cannot be written is E_HOSTS_FILE, with what helps', async () => {
    const hosts = createWorkstationHosts(join(directory, 'none'));
    expect(await hosts.writable()).toBe(false);
    await expect(hosts.write('demo', LINES)).rejects.toMatchObject({
      code: 'E_HOSTS_FILE',
      message: expect.stringContaining('set_etc_hosts = false'),
    });
    expect(await createWorkstationHosts(file).writable()).toBe(true);
  });
});
