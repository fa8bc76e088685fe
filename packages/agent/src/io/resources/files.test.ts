import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Resource, type ResourceInput, resource } from '@silverlining/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Applied, ConvergeRun, Executor } from '../../ports.ts';
import { createConvergeHost } from './table.ts';

let root: string;
let run: ConvergeRun;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sl-node-'));
  await mkdir(join(root, 'etc'));
  // Whoever runs the tests is this node's root.
  const [uid, gid] = [process.getuid?.(), process.getgid?.()];
  await writeFile(join(root, 'etc/passwd'), `root:x:${uid}:${gid}:root:/root:/bin/sh\nother:x:4321:4321::/:/bin/sh\n`);
  await writeFile(join(root, 'etc/group'), `root:x:${gid}:\nother:x:4321:\n`);
  const context = { signal: new AbortController().signal, say: () => undefined };
  run = createConvergeHost(join(root, 'state'), root).open([], context);
});
afterEach(() => rmSync(root, { recursive: true }));

const at = (path: string) => join(root, path);
const executor = (it: Resource): Executor<Resource['type']> => run.executors[it.type] as Executor<Resource['type']>;
const check = (input: ResourceInput): Promise<string | undefined> => {
  const it = resource.parse(input);
  return executor(it).check(it);
};
/** Brings it about, and checks that the second look finds nothing more to do. */
async function apply(input: ResourceInput): Promise<Applied> {
  const it = resource.parse(input);
  const applied = await executor(it).apply(it);
  expect(await executor(it).check(it)).toBeUndefined();
  return applied;
}

describe('file', () => {
  const wanted = { type: 'file', path: '/etc/app/app.conf', content: 'a\nb\n', mode: 0o640 } as const;

  it('is made with its folder, content and mode', async () => {
    expect(await check(wanted)).toBe('does not exist');
    await apply(wanted);
    expect(await readFile(at('etc/app/app.conf'), 'utf8')).toBe('a\nb\n');
    expect((await lstat(at('etc/app/app.conf'))).mode & 0o777).toBe(0o640);
    expect(await readdir(at('etc/app'))).toEqual(['app.conf']);
  });

  it('differs by content, mode and owner, and says how', async () => {
    await apply(wanted);
    expect(await check({ ...wanted, content: 'a\nc\n' })).toBe('line 2:\n-b\n+c');
    expect(await check({ ...wanted, mode: 0o644 })).toBe('mode 0640 instead of 0644');
    expect(await check({ ...wanted, owner: 'other' })).toContain('instead of other');
  });

  it('does not show secrets, and leaves a file that was only to be made once', async () => {
    await apply(wanted);
    expect(await check({ ...wanted, content: 'secret', sensitive: true })).toBe('content differs');
    expect(await check({ ...wanted, content: 'other', mode: 0o600, once: true })).toBeUndefined();
  });

  it('is put back as it was, or removed where nothing was', async () => {
    const first = await apply(wanted);
    await chmod(at('etc/app/app.conf'), 0o600);
    const second = await apply({ ...wanted, content: 'new' });
    await second.undo?.();
    expect(await readFile(at('etc/app/app.conf'), 'utf8')).toBe('a\nb\n');
    expect((await lstat(at('etc/app/app.conf'))).mode & 0o777).toBe(0o600);
    await first.undo?.();
    expect(await check(wanted)).toBe('does not exist');
  });

  it('replaces a link but no directory, and needs its owner', async () => {
    await mkdir(at('etc/app/app.conf'), { recursive: true });
    await expect(apply(wanted)).rejects.toMatchObject({
      code: 'E_RESOURCE',
      message: '/etc/app/app.conf is a directory',
    });
    await expect(apply({ ...wanted, path: '/etc/x', owner: 'nobody-here' })).rejects.toThrow(
      'nobody-here does not exist',
    );
    await symlink('/nowhere', at('etc/link'));
    expect(await check({ ...wanted, path: '/etc/link' })).toBe('is a link');
    await apply({ ...wanted, path: '/etc/link' });
  });
});

describe('what an agent that was killed left beside a resource', () => {
  const temporary = (path: string) => `${path}.${randomUUID()}.dpkg-tmp`;

  it.each<[string, ResourceInput & { path: string }]>([
    ['a file', { type: 'file', path: '/etc/it', content: 'new' }],
    ['a link', { type: 'link', path: '/etc/it', target: 'new' }],
    ['a block', { type: 'block', path: '/etc/it', name: 'app', content: 'new' }],
  ])('goes when %s is written', async (_what, wanted) => {
    const others = [temporary('etc/other'), 'etc/it.dpkg-tmp', 'etc/it.conf'];
    for (const path of [temporary('etc/it'), temporary('etc/it'), ...others]) await writeFile(at(path), 'n');
    await apply(wanted);
    const names = others.map((path) => path.slice('etc/'.length));
    expect((await readdir(at('etc'))).sort()).toEqual([...names, 'group', 'it', 'passwd'].sort());
  });
});

describe('directory', () => {
  it('is made with its mode, and never in place of something else', async () => {
    await apply({ type: 'directory', path: '/srv/a/b', mode: 0o750 });
    expect((await lstat(at('srv/a/b'))).mode & 0o777).toBe(0o750);
    expect(await check({ type: 'directory', path: '/srv/a/b', mode: 0o755 })).toBe('mode 0750 instead of 0755');
    await writeFile(at('srv/file'), '');
    await expect(apply({ type: 'directory', path: '/srv/file' })).rejects.toThrow('is a file, not a directory');
  });
});

describe('link', () => {
  it('is made, changed and put back', async () => {
    await apply({ type: 'link', path: '/etc/enabled/site', target: '../available/site' });
    const { undo } = await apply({ type: 'link', path: '/etc/enabled/site', target: '../available/other' });
    await undo?.();
    expect(await readlink(at('etc/enabled/site'))).toBe('../available/site');
  });
});

describe('absent', () => {
  it('removes files and folders, but none near to the root', async () => {
    await writeFile(at('etc/old'), 'x');
    const { undo } = await apply({ type: 'absent', path: '/etc/old' });
    await undo?.();
    expect(await readFile(at('etc/old'), 'utf8')).toBe('x');
    await mkdir(at('var/lib/app'), { recursive: true });
    await apply({ type: 'absent', path: '/var/lib/app' });
    await expect(apply({ type: 'absent', path: '/var/lib' })).rejects.toThrow('too near to the root');
  });
});

describe('block', () => {
  const wanted = { type: 'block', path: '/etc/hosts', name: 'demo', content: '10.0.0.1 a' } as const;

  it('is written into a file that keeps its mode and the rest', async () => {
    await writeFile(at('etc/hosts'), '127.0.0.1 localhost\n');
    await chmod(at('etc/hosts'), 0o664);
    const { undo } = await apply(wanted);
    expect(await readFile(at('etc/hosts'), 'utf8')).toContain(
      '127.0.0.1 localhost\n# BEGIN silverlining demo\n10.0.0.1 a\n',
    );
    expect((await lstat(at('etc/hosts'))).mode & 0o777).toBe(0o664);
    await undo?.();
    expect(await readFile(at('etc/hosts'), 'utf8')).toBe('127.0.0.1 localhost\n');
  });

  it('is also in what cloud-init makes the hosts file from at each start', async () => {
    const template = at('etc/cloud/templates/hosts.debian.tmpl');
    await mkdir(dirname(template), { recursive: true });
    await writeFile(template, '## template:jinja\n127.0.1.1 {{fqdn}}\n');
    const { undo } = await apply(wanted);
    const block = '# BEGIN silverlining demo\n10.0.0.1 a\n# END silverlining demo\n';
    expect(await readFile(at('etc/hosts'), 'utf8')).toBe(block);
    expect(await readFile(template, 'utf8')).toBe(`## template:jinja\n127.0.1.1 {{fqdn}}\n${block}`);
    expect(await check(wanted)).toBeUndefined();
    await writeFile(template, '## template:jinja\n');
    expect(await check(wanted)).toContain('+10.0.0.1 a');
    await apply(wanted);
    await undo?.();
    expect(await readFile(template, 'utf8')).toBe('## template:jinja\n127.0.1.1 {{fqdn}}\n');
  });

  it('is not missed where the file is not', async () => {
    expect(await check({ ...wanted, path: '/etc/none', content: '' })).toBeUndefined();
  });
});

describe('command', () => {
  it('runs until its guard says that it is done', async () => {
    const done: ResourceInput = { type: 'command', argv: ['touch', join(root, 'done')], creates: '/done' };
    expect(await check(done)).toContain('runs touch');
    await apply(done);
    expect(await check({ type: 'command', argv: ['false'], unless: ['true'] })).toBeUndefined();
    expect(await check({ type: 'command', argv: ['false'], unlessInstalled: 'dpkg' })).toBeUndefined();
    expect(await check({ type: 'command', argv: ['false'], unlessInstalled: 'none' })).toBe('runs false');
    await expect(apply({ type: 'command', argv: ['false'] })).rejects.toMatchObject({ code: 'E_RESOURCE' });
  });
});
