/** Measures how bare machines become app servers, and what it costs to look whether they still are: `sl up` and a playbook. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findDirectories } from '../../packages/controller/src/io/directories.ts';
import { LocalProvider, LocalSite } from '../../packages/controller/src/io/provider/index.ts';
import type { ProviderNode } from '../../packages/controller/src/ports.ts';
import { ansibleProject, playbook } from './ansible.ts';
import { sha256 } from './apps.ts';
import type { Command } from './contender.ts';
import { type SshAccess, sshAccess } from './fleet.ts';
import { type Measurement, measure } from './meter.ts';
import type { Part, ToolResult } from './results.ts';
import { FIRST_PAGE, SET, sl, writeServerSet } from './silver-lining.ts';
import type { ToolGroup } from './tool-group.ts';
import { fetchRange } from './verify.ts';

export const ROLE_OPERATIONS: Part['operations'] = [
  { name: 'first', title: 'first run, bare machines' },
  { name: 'nothing', title: 'again, nothing to do' },
];

export interface RolesInput {
  nodes: number;
  runs: number;
  work: string;
  tools: { silver: ToolGroup; ansible: ToolGroup };
  say: (text: string) => void;
  signal: AbortSignal;
}

/** Machines that nobody has set up, with what both ways are given. */
interface Bare {
  machines: readonly ProviderNode[];
  access: SshAccess;
}

interface Way {
  title: string;
  how: string;
  tool: ToolGroup;
  /** Writes what describes the wish, and returns the command that makes it so. */
  prepare(bare: Bare): Promise<Command>;
  /** Before the machines go. */
  end(): Promise<void>;
}

const HOST = 'silver.bench.test';
/** No-op runs for each first run. */
const REPEATS = 3;

export async function measureRoles(input: RolesInput): Promise<ToolResult[]> {
  const ways = [silverWay(input), ansibleWay(input)];
  const results = ways.map(({ title, how }): ToolResult => ({ title, how, runs: { first: [], nothing: [] } }));
  for (let run = 1; run <= input.runs; run += 1) {
    for (const [i, way] of ways.entries()) {
      const { first, nothing } = await turn(input, way);
      results[i]?.runs.first?.push(first);
      results[i]?.runs.nothing?.push(...nothing);
      const repeats = nothing.map(({ seconds }) => `${seconds.toFixed(2)} s`).join(', ');
      input.say(`roles ${run}/${input.runs} ${way.title}: first ${first.seconds.toFixed(1)} s, again ${repeats}`);
    }
  }
  return results;
}

async function turn(input: RolesInput, way: Way): Promise<{ first: Measurement; nothing: Measurement[] }> {
  const { signal } = input;
  const provider = new LocalProvider(new LocalSite(findDirectories()));
  const machines = await makeMachines(provider, input.nodes, signal);
  try {
    const access = await sshAccess(machines, join(input.work, 'bare'));
    await access.shell(GIVEN, signal);
    await warmPackageCache(machines, input);
    const command = await way.prepare({ machines, access });
    const options = { nodes: machines.map(metered), tool: way.tool, later: 1_000 };
    const once = async () => {
      const measured = await measure(options, () => way.tool.run(command, signal));
      await verifyPages(machines);
      return measured;
    };
    const first = await once();
    const nothing: Measurement[] = [];
    for (let i = 0; i < REPEATS; i += 1) nothing.push(await once());
    await way.end();
    return { first, nothing };
  } finally {
    for (const { id } of machines) await provider.destroy(id, AbortSignal.timeout(60_000));
  }
}

/** A cloud's image has both, and Ansible cannot begin without Python. */
const GIVEN =
  'export DEBIAN_FRONTEND=noninteractive; apt-get -q update && apt-get -q -y install --no-install-recommends python3 sudo';

function metered({ id, name, address }: ProviderNode) {
  return { uuid: id, name, address };
}

async function makeMachines(provider: LocalProvider, count: number, signal: AbortSignal): Promise<ProviderNode[]> {
  const names = Array.from({ length: count }, (_, i) => `bare${i + 1}.bench.internal`);
  const request = (name: string) => ({ uuid: randomUUID(), name, set: 'bare', size: undefined, image: undefined });
  return Promise.all(names.map((name) => provider.create(request(name), () => undefined, signal)));
}

/** Neither way shall be the one that fetches the packages from afar. */
async function warmPackageCache(machines: readonly ProviderNode[], { work, signal }: RolesInput): Promise<void> {
  const one = await sshAccess(machines.slice(0, 1), join(work, 'one'));
  const packages = 'apache2 logrotate nftables unattended-upgrades systemd-timesyncd';
  await one.shell(`apt-get -q -y install --download-only ${packages} && apt-get clean`, signal);
}

async function verifyPages(machines: readonly ProviderNode[]): Promise<void> {
  const range = [0, FIRST_PAGE.length - 1] as const;
  const probe = { path: '/index.html', range, sha256: sha256(Buffer.from(FIRST_PAGE)) };
  for (const { name, address } of machines) {
    const answer = await fetchRange(address, HOST, probe);
    if (answer !== probe.sha256) throw new Error(`${name} does not serve the page: ${answer}`);
  }
}

function silverWay({ work, tools, signal }: RolesInput): Way {
  const dir = join(work, 'roles');
  const file = join(dir, 'silver.ini');
  return {
    title: 'Silver Lining',
    how: '`sl up` with `provider = hosts`: puts runtime and agent on the machines, sets the roles up and deploys an app of one page.',
    tool: tools.silver,
    prepare: async ({ machines, access }) => {
      await rm(dir, { recursive: true, force: true });
      await writeServerSet(dir, { nodes: machines.length, provider: hostsProvider(machines, access) });
      return sl(['up', '-f', file, '--yes', '--json']);
    },
    end: async () => {
      await tools.silver.run(sl(['down', '--set', SET, '--yes']), signal);
    },
  };
}

function hostsProvider(machines: readonly ProviderNode[], access: SshAccess): string {
  const hosts = machines.map(({ address }, i) => `    app${i + 1}.${SET}.internal ${address}`);
  const keys = [`identity = ${access.identity}`, `known_hosts = ${access.knownHosts}`];
  return ['[provider]', 'provider = hosts', 'hosts =', ...hosts, ...keys, ''].join('\n');
}

function ansibleWay({ work, tools }: RolesInput): Way {
  const scratch = join(work, 'ansible-roles');
  return {
    title: 'Ansible',
    how: 'a playbook of 16 tasks that sets up the same and copies the page (`test/bench/peers/ansible/appserver.yml`); Python, unattended-upgrades and what Apache stands on are on the machines already.',
    tool: tools.ansible,
    prepare: async ({ machines, access }) => {
      await ansibleProject({
        scratch,
        sshConfig: access.sshConfig,
        addresses: machines.map((it) => it.address),
        isTuned: true,
      });
      const names = Object.fromEntries(machines.map(({ name, address }) => [address, name]));
      return playbook(scratch, 'appserver.yml', { names, host: HOST, page: FIRST_PAGE });
    },
    // Its open connections lead to machines that are about to go.
    end: () => tools.ansible.clear(),
  };
}
