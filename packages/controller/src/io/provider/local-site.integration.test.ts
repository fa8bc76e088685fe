import { access, chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exec } from '@silverlining/system';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ensureNetwork } from './local-network.ts';
import { LocalSite } from './local-site.ts';

// Those of this machine are of whoever has local nodes on it.
vi.mock('./local-cgroup.ts', async (original) => ({
  ...(await original<typeof import('./local-cgroup.ts')>()),
  removeParentGroups: async () => undefined,
}));

const { signal } = new AbortController();
const work = { report: () => undefined, signal };

let folder: string;
let state: string;
let lock: string;
let site: LocalSite;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sl-site-'));
  state = join(folder, 'state');
  lock = join(folder, 'network.lock');
  site = new LocalSite({ state, cache: join(folder, 'cache') }, lock);
  await mkdir(join(state, 'local'), { recursive: true });
  await exec(['mkfifo', join(folder, 'deleting'), join(folder, 'gate')]);
  await command('ip', ip());
  // Starts mmdebstrap, whose last word says where the image is to be.
  await command('unshare', `for target; do :; done; mkdir -p "$target/etc/ssh"`);
  vi.stubEnv('PATH', `${folder}/bin:${process.env.PATH}`);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

async function command(name: string, script: string): Promise<void> {
  const path = join(folder, 'bin', name);
  await mkdir(join(folder, 'bin'), { recursive: true });
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
}

/** Of a machine where nobody else is at the network. It runs `onDelete` to delete a link. */
function ip(onDelete = ':'): string {
  const [address, route] = [join(folder, 'address'), join(folder, 'route')];
  return `case "$*" in
    address\\ replace*) echo "\${3%/*}" > ${address} ;;
    *address\\ show*) read -r it < ${address} && echo "[{\\"addr_info\\":[{\\"local\\":\\"$it\\"}],\\"flags\\":[\\"UP\\"]}]" ;;
    route\\ replace*) echo "{\\"dst\\":\\"$4\\"}" > ${route} ;;
    *route\\ show\\ type\\ unreachable*) echo unreachable ;;
    *route\\ show*) it=; read -r it < ${route}; echo "[$it]" ;;
    link\\ delete*) ${onDelete} ;;
  esac`;
}

function reserve(set: string) {
  const name = `app1.${set}.internal`;
  return site.reserve({ uuid: crypto.randomUUID(), set, name, image: 'debian:bookworm' }, work);
}

describe('the site of local nodes', () => {
  it('gives nodes of several sets an address each', async () => {
    const first = await reserve('one');
    const others = await Promise.all([reserve('two'), reserve('three')]);
    expect(new Set([first, ...others].map((it) => it.address)).size).toBe(3);
  });

  it('has one network, whoever else chooses one meanwhile', async () => {
    const file = join(state, 'local/network.json');
    const [one, two] = await Promise.all([ensureNetwork(file, signal, lock), ensureNetwork(file, signal, lock)]);
    expect(one).toEqual(two);
  });

  it('is there for the first node of a set where the last one of another goes', async () => {
    const last = await reserve('one');
    await rm(site.paths(last.uuid).directory, { recursive: true });
    await command('ip', ip(`echo > ${folder}/deleting; cat ${folder}/gate`));
    const removing = site.remove();
    await readFile(join(folder, 'deleting'));
    const reserving = reserve('two');
    await writeFile(join(folder, 'gate'), '');
    await removing;
    const { image } = await reserving;
    await access(join(state, 'local/images', image));
    expect(await site.nodes()).toHaveLength(1);
  });
});
