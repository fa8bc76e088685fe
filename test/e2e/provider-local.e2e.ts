import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hostCommand } from '../../packages/controller/src/io/host-packages.ts';
import { describeProviderContract } from '../../packages/controller/src/io/provider/contract.ts';
import { LocalProvider, LocalSite } from '../../packages/controller/src/io/provider/index.ts';
import { controlGroups, destroyGroups, makeGroups } from '../../packages/controller/src/io/provider/local-cgroup.ts';
import { readNetwork } from '../../packages/controller/src/io/provider/local-network.ts';
import type { ProviderNode } from '../../packages/controller/src/ports.ts';
import { bootId, ssh } from './support/local-ssh.ts';
import { hostTraces, type LocalState, makeLocalState } from './support/local-state.ts';

const MINUTES = 60_000;
const { signal } = new AbortController();

let contractState: LocalState | undefined;
describeProviderContract('local', {
  make: async () => {
    contractState = await makeLocalState();
    return contractState.provider;
  },
  creates: true,
  cleanUp: async () => contractState?.remove(),
  timeoutMs: 5 * MINUTES,
});

let local: LocalState;
beforeEach(async () => {
  local = await makeLocalState();
});
afterEach(() => local.remove(), 5 * MINUTES);

describe('local nodes', { timeout: 5 * MINUTES }, () => {
  it.each(['debian:bookworm', 'debian:trixie'])('of %s are whole Debian machines', async (image) => {
    const node = await create('app1.example.internal', image);
    expect((await ssh(node, 'systemctl', 'is-system-running', '--wait')).stdout.trim()).toBe('running');
    expect((await ssh(node, 'hostname', '--fqdn')).stdout.trim()).toBe('app1.example.internal');
    await ssh(node, 'apt-get', 'update');
    await ssh(node, 'apt-get', 'install', '--yes', 'nftables');
    await ssh(node, 'nft', 'add', 'table', 'inet', 'mine');
    for (const absent of ['node', 'curl', 'sudo']) await expect(ssh(node, absent, '--version')).rejects.toThrow();
  });

  it('hold overlays, with deleted files, where releases go', async () => {
    const node = await create('app1.example.internal');
    const base = '/var/lib/silverlining/';
    const [lower, upper, work, top] = ['lower', 'upper', 'work', 'top'].map((name) => base + name);
    await ssh(node, 'mkdir', `${lower}`, `${upper}`, `${work}`, `${top}`);
    await ssh(node, 'cp', '/etc/hostname', `${lower}/gone`);
    const layers = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
    await ssh(node, 'mount', '-t', 'overlay', 'test', '-o', layers, `${top}`);
    await ssh(node, 'rm', `${top}/gone`);
    expect((await ssh(node, 'stat', '-c', '%F', `${upper}/gone`)).stdout.trim()).toBe('character special file');
  });

  it('reach each other and the host, and nothing else', async () => {
    const [one, two] = await Promise.all([create('app1.example.internal'), create('app2.example.internal')]);
    const open = (host: string, port: number) =>
      ssh(one, 'timeout', '2', 'bash', '-c', `'exec 3<>/dev/tcp/${host}/${port}'`).then(
        () => true,
        () => false,
      );
    const { network } = await here();
    expect(await open(two.address, 22)).toBe(true);
    expect(await open(network?.hostAddress ?? '', network?.packagePort ?? 0)).toBe(true);
    expect(await open('192.0.2.1', 80)).toBe(false);
  });

  it('keep their disk over a reboot, a crash and a restart of the whole machine', async () => {
    const node = await create('app1.example.internal');
    await ssh(node, 'touch', '/root/mine', '/var/www/mine', '/var/lib/silverlining/mine');
    const files = ['ls', '/root/mine', '/var/www/mine', '/var/lib/silverlining/mine'];

    const booted = await bootId(node);
    await ssh(node, 'systemctl', 'reboot').catch(() => undefined);
    await waitFor(async () => (await bootId(node).catch(() => booted)) !== booted);
    await ssh(node, ...files);

    await killInit(node.id);
    await waitFor(async () => (await local.provider.list('e2e', signal))[0]?.state === 'stopped');
    expect(await local.provider.start(node.id, signal)).toEqual(node);
    await ssh(node, ...files);

    await forgetMachine(node.id);
    expect(await local.provider.list('e2e', signal)).toEqual([{ ...node, state: 'stopped' }]);
    expect(await local.provider.start(node.id, signal)).toEqual(node);
    await ssh(node, ...files);
    await ssh(node, 'apt-get', 'update');
  });

  it('can be made twelve at a time', async () => {
    const names = Array.from({ length: 12 }, (_, index) => `app${index + 1}.example.internal`);
    const nodes = await Promise.all(names.map((name) => create(name)));
    expect(new Set(nodes.map((node) => node.address)).size).toBe(12);
    expect(new Set(nodes.flatMap((node) => node.ssh.hostKeys)).size).toBe(12);
    const before = await here();
    await Promise.all(nodes.map((node) => local.provider.destroy(node.id, signal)));
    await local.provider.cleanUp('e2e', signal);
    expect(await hostTraces({ uuids: nodes.map((node) => node.id), ...before })).toEqual([]);
  });

  it('get their package cache back when it was killed', async () => {
    const node = await create('app1.example.internal');
    for (const pid of await pidsOf('apt-cacher-ng', local.directories.state)) process.kill(pid, 'SIGKILL');
    await waitFor(async () => (await pidsOf('apt-cacher-ng', local.directories.state)).length > 0);
    await waitFor(() => ssh(node, 'apt-get', '-o', 'APT::Update::Error-Mode=any', 'update').then(() => true));
  });
});

/** What `hostTraces` has to know and a clean-up removes. */
async function here() {
  const { state } = local.directories;
  return { state, network: await readNetwork(join(state, 'local/network.json')) };
}

/** Paths under `STATE/local` whose appearance (or disappearance) is the moment of the kill. */
const CREATE_MOMENTS = [
  'network.json',
  'nodes/UUID/node.json',
  'nodes/UUID/upper',
  'ssh/id_ed25519',
  'nodes/UUID/console.log',
];
const DESTROY_MOMENTS = ['nodes/UUID/root', 'nodes/UUID/upper', 'nodes/UUID'];

describe('a controller that is killed', { timeout: 5 * MINUTES }, () => {
  it.each(CREATE_MOMENTS)('while it creates, at %s, leaves what can be finished or removed', async (moment) => {
    for (const finish of [true, false]) {
      const uuid = randomUUID();
      const path = join(local.directories.state, 'local', moment.replace('UUID', uuid));
      await killWhen(act('create', uuid), () => existsSync(path));
      const provider = new LocalProvider(new LocalSite(local.directories));
      if (finish) await expectFinished(provider, uuid);
      const before = await here();
      await provider.destroy(uuid, signal);
      expect(await provider.list('kill', signal)).toEqual([]);
      await provider.cleanUp('kill', signal);
      expect(await hostTraces({ uuids: [uuid], ...before })).toEqual([]);
      expect(await readdir(local.directories.state)).toEqual([]);
    }
  });

  it.each(DESTROY_MOMENTS)('while it destroys, at the end of %s, leaves what can be destroyed', async (moment) => {
    const { id } = await create('app1.example.internal');
    const path = join(local.directories.state, 'local', moment.replace('UUID', id));
    const before = await here();
    await killWhen(act('destroy', id), () => !existsSync(path));
    const provider = new LocalProvider(new LocalSite(local.directories));
    await provider.destroy(id, signal);
    await provider.cleanUp('e2e', signal);
    expect(await hostTraces({ uuids: [id], ...before })).toEqual([]);
    expect(await readdir(local.directories.state)).toEqual([]);
  });
});

describe('control groups', () => {
  it('are removed with whoever joins meanwhile, as a late launcher may', async () => {
    for (let round = 0; round < 100; round++) {
      const groups = await controlGroups(`e2e-${randomUUID()}`);
      await makeGroups(groups);
      const joining = groups.paths.map((path) => `echo 0 > ${path}/launcher/cgroup.procs`).join(' && ');
      const ended = once(spawn('sh', ['-c', `${joining} && exec sleep 60`], { stdio: 'ignore' }), 'exit');
      await sleep(Math.random() * 4);
      await destroyGroups(groups);
      expect(groups.paths.filter((path) => existsSync(path))).toEqual([]);
      // It was killed, or found no group to join.
      await ended;
    }
  });
});

async function expectFinished(provider: LocalProvider, uuid: string): Promise<void> {
  const request = { uuid, name: 'app1.example.internal', set: 'kill', size: undefined, image: undefined };
  const node = await provider.create(request, () => undefined, signal);
  expect(await provider.list('kill', signal)).toEqual([node]);
  expect((await ssh(node, 'systemctl', 'is-system-running', '--wait')).stdout.trim()).toBe('running');
}

function create(name: string, image?: string): Promise<ProviderNode> {
  const request = { uuid: randomUUID(), name, set: 'e2e', size: undefined, image };
  return local.provider.create(request, () => undefined, signal);
}

function act(action: 'create' | 'destroy', uuid: string): ChildProcess {
  const { state, cache } = local.directories;
  const script = join(import.meta.dirname, 'support/local-command.ts');
  return spawn(process.execPath, [script, state, cache, action, uuid], { stdio: 'inherit' });
}

/** Kills the process as soon as the condition holds; a process that is done before that is a moment too. */
async function killWhen(child: ChildProcess, holds: () => boolean): Promise<void> {
  const exited = once(child, 'exit');
  while (child.exitCode === null && !holds()) await sleep(1);
  child.kill('SIGKILL');
  await exited;
}

async function killInit(uuid: string): Promise<void> {
  for (const pid of await pidsOf('systemd', `${uuid}/payload/init.scope`)) process.kill(pid, 'SIGKILL');
}

/** What a restart of the machine leaves: the state directory, and nothing that the kernel held. */
async function forgetMachine(uuid: string): Promise<void> {
  const { network } = await here();
  if (network === undefined) throw new Error('there is no network to forget');
  await local.provider.powerOff(uuid);
  for (const pid of await pidsOf('sh', local.directories.state)) process.kill(pid, 'SIGKILL');
  for (const pid of await pidsOf('apt-cacher-ng', local.directories.state)) process.kill(pid, 'SIGKILL');
  await hostCommand(['ip', 'link', 'delete', network.bridge]);
  await hostCommand(['ip', 'route', 'delete', 'unreachable', network.subnet]);
}

/** Processes of that name whose command line or control group has the text in it. */
async function pidsOf(name: string, text: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry));
  const matches = await Promise.all(
    pids.map(async (pid) => {
      const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
      const named = (await read('comm')).trim() === name;
      return named && ((await read('cmdline')).includes(text) || (await read('cgroup')).includes(text))
        ? [Number(pid)]
        : [];
    }),
  );
  return matches.flat();
}

async function waitFor(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + MINUTES;
  while (!(await holds().catch(() => false))) {
    if (Date.now() > deadline) throw new Error('waited for a minute in vain');
    await sleep(50);
  }
}
