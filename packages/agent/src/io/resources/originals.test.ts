import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ResourceInput, resource } from '@silverlining/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod/mini';
import { type Original, type OriginalFolder, original, originalFolder } from '../../core/converge/originals.ts';
import { stateFile } from '../state-file.ts';
import { createOriginals, type UnitControl } from './originals.ts';

let root: string;
let asked: string[];
/** Of `apache2.service`, the one unit that this systemd knows. */
let apache: { active: string; file: string };

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sl-originals-'));
  asked = [];
  apache = { active: 'active', file: 'enabled' };
  await mkdir(`${root}/etc`);
  await writeFile(`${root}/etc/ports.conf`, 'Listen 80\n');
  await chmod(`${root}/etc/ports.conf`, 0o640);
  await writeFile(`${root}/etc/hosts`, '127.0.0.1 localhost\n');
  await symlink('../available/default', `${root}/etc/default-site`);
});
afterEach(() => rmSync(root, { recursive: true }));

const units: UnitControl = {
  show: async (names) =>
    new Map(
      names.map((name) => {
        const load = name === 'apache2.service' ? 'loaded' : 'not-found';
        return [name, { name, load, sub: '', ...apache }];
      }),
    ),
  end: async (names) => void asked.push(`end ${names.join(' ')}`),
  reloadDaemon: async () => void asked.push('reload'),
  act: async (action, name) => void asked.push(`${action} ${name}`),
};

function open() {
  const file = stateFile<Original[]>(join(root, 'kept.json'), z.array(original), []);
  const folders = stateFile<OriginalFolder[]>(join(root, 'folders.json'), z.array(originalFolder), []);
  return createOriginals({ file, folders }, units, root);
}
const parsed = (inputs: ResourceInput[]) => inputs.map((it) => resource.parse(it));

const RESOURCES = parsed([
  { type: 'packages', names: ['apache2'] },
  { type: 'directory', path: '/etc/ours' },
  { type: 'file', path: '/etc/ours/made', content: 'made' },
  { type: 'file', path: '/etc/ports.conf', content: 'Listen 8080\n' },
  { type: 'absent', path: '/etc/default-site' },
  { type: 'block', path: '/etc/hosts', name: 'nodes', content: '10.0.0.1 app1\n' },
  { type: 'unit', name: 'apache2.service', enabled: true, running: true },
  { type: 'unit', name: 'silver-firewall.service', enabled: true, running: true },
]);

async function change(): Promise<void> {
  await mkdir(`${root}/etc/ours`);
  await writeFile(`${root}/etc/ours/made`, 'made');
  await writeFile(`${root}/etc/ports.conf`, 'Listen 8080\n');
  await rm(`${root}/etc/default-site`);
  const hosts =
    '127.0.0.1 localhost\n# BEGIN silverlining nodes\n10.0.0.1 app1\n# END silverlining nodes\n10.9.9.9 theirs\n';
  await writeFile(`${root}/etc/hosts`, hosts);
}

describe('what was there before', () => {
  it('comes back: files, links, and nothing where nothing was', async () => {
    await open().keep(RESOURCES, 'everything');
    await change();
    // Of an agent that was killed.
    for (const name of ['hosts', 'ports.conf', 'ours'])
      await writeFile(`${root}/etc/${name}.${randomUUID()}.dpkg-tmp`, '');
    expect(await open().putBack()).toEqual([]);
    expect((await readdir(`${root}/etc`)).sort()).toEqual(['default-site', 'hosts', 'ports.conf']);
    expect(await readFile(`${root}/etc/ports.conf`, 'utf8')).toBe('Listen 80\n');
    expect((await stat(`${root}/etc/ports.conf`)).mode & 0o7777).toBe(0o640);
    expect(await readlink(`${root}/etc/default-site`)).toBe('../available/default');
    expect(await readFile(`${root}/etc/hosts`, 'utf8')).toBe('127.0.0.1 localhost\n10.9.9.9 theirs\n');
  });

  it('comes back: a block is also taken out of what cloud-init makes the hosts file from', async () => {
    await open().keep(RESOURCES, 'everything');
    await change();
    await mkdir(`${root}/etc/cloud/templates`, { recursive: true });
    const template = `${root}/etc/cloud/templates/hosts.debian.tmpl`;
    await copyFile(`${root}/etc/hosts`, template);
    expect(await open().putBack()).toEqual([]);
    expect(await readFile(template, 'utf8')).toBe('127.0.0.1 localhost\n10.9.9.9 theirs\n');
  });

  it('comes back: who may do what with folders that were there', async () => {
    await mkdir(`${root}/etc/theirs`);
    await chmod(`${root}/etc/theirs`, 0o2770);
    const folders = parsed([
      { type: 'directory', path: '/etc/theirs' },
      { type: 'directory', path: '/etc/ours' },
    ]);
    await open().keep(folders, 'everything');
    await mkdir(`${root}/etc/ours`);
    await chmod(`${root}/etc/theirs`, 0o755);
    await open().keep(folders, 'everything');
    expect(await open().putBack()).toEqual([]);
    expect((await stat(`${root}/etc/theirs`)).mode & 0o7777).toBe(0o2770);
    expect(await readdir(`${root}/etc`)).not.toContain('ours');
  });

  it('comes back behind a link to it, with the mode that it has there', async () => {
    await open().keep(RESOURCES, 'everything');
    await change();
    await rename(`${root}/etc/hosts`, `${root}/hosts.real`);
    await symlink('../hosts.real', `${root}/etc/hosts`);
    expect(await open().putBack()).toEqual([]);
    expect(await readlink(`${root}/etc/hosts`)).toBe('../hosts.real');
    expect(await readFile(`${root}/hosts.real`, 'utf8')).toBe('127.0.0.1 localhost\n10.9.9.9 theirs\n');
    expect((await stat(`${root}/hosts.real`)).mode & 0o7777).toBe(0o644);
  });

  it('is what the first run found, and never what an earlier one made', async () => {
    await open().keep(RESOURCES, 'everything');
    await change();
    await open().keep([...RESOURCES, ...parsed([{ type: 'file', path: '/etc/more', content: '' }])], 'everything');
    await writeFile(`${root}/etc/more`, '');
    await open().putBack();
    expect((await readdir(`${root}/etc`)).sort()).toEqual(['default-site', 'hosts', 'ports.conf']);
    expect(await readFile(`${root}/etc/ports.conf`, 'utf8')).toBe('Listen 80\n');
  });

  it('includes what packages brought, and the units from before them', async () => {
    await rm(`${root}/etc/ports.conf`);
    await open().keep(RESOURCES, 'units');
    await writeFile(`${root}/etc/ports.conf`, 'of the package\n');
    await open().keep(RESOURCES, 'everything');
    await change();
    await open().putBack();
    expect(await readFile(`${root}/etc/ports.conf`, 'utf8')).toBe('of the package\n');
    expect(asked).toEqual(['end silver-firewall.service', 'reload', 'restart apache2.service']);
  });

  it('includes whether a service ran: one whose role was given up since starts again', async () => {
    await open().keep(RESOURCES, 'units');
    apache = { active: 'inactive', file: 'disabled' };
    expect(await open().putBack()).toEqual([]);
    expect(asked.slice(-2)).toEqual(['enable apache2.service', 'restart apache2.service']);
  });

  it('includes that a service did not run: it ends before others start', async () => {
    apache = { active: 'inactive', file: 'disabled' };
    await open().keep(RESOURCES, 'units');
    expect(await open().putBack()).toEqual([]);
    expect(asked).toEqual(['end silver-firewall.service apache2.service', 'reload']);
  });

  it('includes that a service ran and did not start at boot', async () => {
    apache = { active: 'active', file: 'disabled' };
    await open().keep(RESOURCES, 'units');
    apache = { active: 'active', file: 'enabled' };
    await open().putBack();
    expect(asked.slice(-2)).toEqual(['disable apache2.service', 'restart apache2.service']);
  });

  it('leaves a service alone whose package is gone, and restarts one that an earlier agent kept, if it runs', async () => {
    const kept = (name: string, state: object) => ({ kind: 'unit', name, existed: true, ...state });
    const value = [kept('gone.service', { enabled: true, running: true }), kept('apache2.service', {})];
    await writeFile(`${root}/kept.json`, JSON.stringify({ version: 1, value }));
    expect(await open().putBack()).toEqual([]);
    expect(asked.slice(-2)).toEqual(['reload', 'try-restart apache2.service']);
  });

  it('comes back as far as it can, and says what did not', async () => {
    await open().keep(RESOURCES, 'everything');
    await change();
    await rm(`${root}/etc/hosts`);
    await mkdir(`${root}/etc/hosts`);
    const problems = await open().putBack();
    expect(problems).toEqual([expect.stringMatching(/^\/etc\/hosts: /)]);
    expect(await readFile(`${root}/etc/ports.conf`, 'utf8')).toBe('Listen 80\n');
  });
});
