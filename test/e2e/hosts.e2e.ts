/** The guestbook example on machines that something else made: Silver Lining gets their addresses and SSH, nothing more. */
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { DeployResult, StatusResult, UpResult } from '@silverlining/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fingerprint } from '../../packages/controller/src/io/ssh/host-keys.ts';
import { type BareMachines, makeBareMachines } from './support/bare-machines.ts';
import { ask } from './support/http.ts';
import { sl, slJson } from './support/sl.ts';
import { copyExample, type Workspace } from './support/workspace.ts';

const SET = 'hosts-e2e';
const HOST = 'hosts-e2e.test';
const [APP1, APP2, MYSQL, BALANCER] = ['app1', 'app2', 'mysql', 'balancer'].map((it) => `${it}.${SET}.internal`) as [
  string,
  string,
  string,
  string,
];
const NAMES = [APP1, APP2, MYSQL, BALANCER];
/** Debian 13, with its HAProxy 3.0, beside Debian 12. */
const IMAGES = { [APP2]: 'debian:trixie', [BALANCER]: 'debian:trixie' };
/** What not every machine has: one comes without a clock daemon, security updates, and any Python, which those need. */
const ABSENT = ['systemd-timesyncd', 'unattended-upgrades', 'python3-minimal', 'python3.11-minimal'];

let machines: BareMachines;
let work: Workspace;
let knownHosts: string;
let address: string;
/** Where the set's agents find the controller, beside the port that it has of its own. */
let port: number;

const up = (code = 0) => slJson<UpResult & { error?: Failure }>(['up', '-f', work.file, '--yes'], { code });
const status = () => slJson<StatusResult>(['status', '-f', work.file]);
const page = () => ask({ address, host: HOST });

interface Failure {
  code: string;
  message: string;
  node?: string;
}

beforeAll(async () => {
  machines = await makeBareMachines(NAMES, { images: IMAGES });
  address = machines.machines.find((it) => it.name === BALANCER)?.address ?? '';
  work = await copyExample('guestbook', SET);
  knownHosts = join(work.dir, 'known_hosts');
  await work.edit('silver.ini', 'provider = local', ownSection());
  await work.edit('silver.ini', 'guestbook.test', HOST);
  port = await freePort();
  await work.edit('silver.ini', '[provider]', `[controller]\nlisten = ${port}\n\n[provider]`);
  await makeAdmin(APP2);
  await machines.exec(MYSQL, ['apt-get', '-qq', '-y', 'purge', ...ABSENT]);
});

afterAll(async () => {
  await sl(['down', '-f', work.file, '--yes']);
  await work.remove();
  await machines.destroy();
});

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, () => {
      const found = server.address();
      server.close(() => resolve(typeof found === 'object' ? (found?.port ?? 0) : 0));
    });
  });
}

/** The machines' section with known hosts of the test's own, and one machine that lets root not in. */
function ownSection(): string {
  return machines.section
    .replace(/^known_hosts = .*$/m, `known_hosts = ${knownHosts}`)
    .replace(new RegExp(`^( *${APP2} .*)$`, 'm'), '$1 user=admin');
}

/** A user of the machine's owner, who may become root without a password; root itself may not log in. */
async function makeAdmin(name: string): Promise<void> {
  const script = [
    'apt-get -qq update && apt-get -qq install sudo > /dev/null',
    'useradd --create-home --shell /bin/bash admin',
    'install -d -m 700 -o admin -g admin /home/admin/.ssh',
    'mv /root/.ssh/authorized_keys /home/admin/.ssh/ && chown admin:admin /home/admin/.ssh/authorized_keys',
    "echo 'admin ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/admin",
  ];
  await machines.exec(name, ['sh', '-ec', script.join('\n')]);
}

async function everywhere(argv: readonly string[], allowExit: readonly number[] = []): Promise<string[]> {
  const results = await Promise.all(NAMES.map((name) => machines.exec(name, argv, { allowExit })));
  return results.map(({ stdout }) => stdout.trim());
}

/** Whether anything of ours is on a machine already. */
const traces = () => everywhere(['sh', '-c', 'ls -d /opt/silverlining /etc/silverlining 2> /dev/null; true']);

describe('host keys', () => {
  it('that nobody knows are a hard stop that says how to add them', async () => {
    await writeFile(knownHosts, '');
    const { error } = await up(1);
    expect(error).toMatchObject({ code: 'E_SSH' });
    for (const { name, address: at } of machines.machines) {
      expect(error?.message).toContain(name);
      expect(error?.message).toContain(`ssh-keyscan ${at} >> '${knownHosts}'`);
    }
    expect(await traces()).toEqual(['', '', '', '']);
  });

  it('that changed are a hard stop with both fingerprints', async () => {
    const lines = (await readFile(machines.knownHostsFile, 'utf8')).trim().split('\n');
    const keys = lines.map((line) => line.split(' ').slice(1).join(' '));
    // Everybody has the key of somebody else.
    const swapped = lines.map((line, i) => `${line.split(' ')[0]} ${keys[(i + 1) % keys.length]}\n`);
    await writeFile(knownHosts, swapped.join(''));
    const { error } = await up(1);
    expect(error).toMatchObject({ code: 'E_SSH' });
    const first = `expected ${fingerprint(keys[1] ?? '')}, it shows`;
    expect(error?.message).toContain(first);
    for (const key of keys) expect(error?.message).toContain(fingerprint(key).replace('ssh-ed25519 ', ''));
    expect(await traces()).toEqual(['', '', '', '']);
    await writeFile(knownHosts, await readFile(machines.knownHostsFile));
  });
});

describe('sl up', () => {
  it.each(['sending the runtime', 'starting the agent'])(
    'may be cut off with its controller while it is %s',
    async (moment) => {
      const { code, stdout, stderr } = await upKilledAt(moment);
      expect(`${stdout}${stderr}`).toContain(moment);
      expect(code).toBe(1);
    },
  );

  it('goes on from there, and ends with four healthy nodes', async () => {
    const { sites, deploys } = await up();
    expect(sites).toEqual([{ url: `http://${HOST}/`, app: 'guestbook', address }]);
    expect(deploys).toEqual([expect.objectContaining({ app: 'guestbook', outcome: 'done' })]);
    await fourHealthyNodes();
  });

  it('serves the page from both app servers through the balancer', async () => {
    const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const wrote = await ask({ address, host: HOST, method: 'POST', body: 'text=bare+metal', headers: form });
    expect(wrote.status).toBe(303);
    const pages = await Promise.all(Array.from({ length: 8 }, page));
    for (const { status: code, body } of pages)
      expect([code, body]).toEqual([200, expect.stringContaining('bare metal')]);
    expect(new Set(pages.map(({ body }) => /id="node">(app\d)/.exec(body)?.[1]))).toEqual(new Set(['app1', 'app2']));
  });

  it('brings what a machine lacks', async () => {
    for (const name of ['systemd-timesyncd', 'unattended-upgrades']) {
      const states = await everywhere(['dpkg', '--status', name]);
      for (const state of states) expect(state).toContain('\nStatus: install ok installed\n');
    }
  });

  it('tells agents the port that the file asks for', async () => {
    const urls = await everywhere(['sh', '-c', 'grep -o \'"controllerUrl":"[^"]*"\' /etc/silverlining/agent.json']);
    for (const url of urls) expect(url).toMatch(new RegExp(`^"controllerUrl":"wss://[0-9.]+:${port}"$`));
    const { port: own } = await slJson<{ port: number }>(['controller', 'status']);
    expect(own).not.toBe(port);
  });

  it('has nothing to do the second time', async () => {
    expect(await up()).toMatchObject({ changes: 0, deploys: [] });
  });
});

/** Runs `sl up` and kills the controller, with all that it runs over SSH, as soon as it says where it is. */
async function upKilledAt(moment: string) {
  let killing: Promise<void> | undefined;
  const result = await sl(['up', '-f', work.file, '--yes'], {
    onOutput: (text) => {
      if (text.includes(moment)) killing ??= killController();
    },
  });
  await killing;
  return result;
}

async function killController(): Promise<void> {
  const { pid } = await slJson<{ pid: number }>(['controller', 'status']);
  process.kill(pid, 'SIGKILL');
}

async function fourHealthyNodes(): Promise<void> {
  const { nodes, generation } = await status();
  expect(nodes.map((node) => [node.name, node.state, node.reasons, node.generation])).toEqual(
    NAMES.map((name) => [name, 'healthy', [], generation]),
  );
}

describe('without SSH', () => {
  beforeAll(async () => {
    await everywhere(['systemctl', 'stop', 'ssh.service']);
    await everywhere(['systemctl', 'stop', 'ssh.socket'], [5]);
  });

  it('deploys, and shows status and logs', async () => {
    const before = (await page()).release;
    await work.edit('app/main.py', '<h1>Guestbook</h1>', '<h1>Guest book</h1>');
    // More than goes with an order, and less when it is compressed, as it is for machines elsewhere.
    const text = 'All work and no play makes Jack a dull boy.\n'.repeat(20_000);
    await work.write('app/manuscript.txt', text);
    const { deploys } = await slJson<DeployResult>(['deploy', '-f', work.file]);
    expect(deploys).toEqual([expect.objectContaining({ outcome: 'done', previous: before })]);
    expect(deploys[0]?.bytes.wire).toBeLessThan(text.length / 10);
    expect((await page()).body).toContain('Guest book');
    await fourHealthyNodes();
    const { stdout } = await sl(['logs', '--file', work.file, '-n', '20']);
    for (const name of ['app1', 'app2']) expect(stdout).toContain(name);
  });

  it('takes the set down and leaves the machines as they were, packages and databases aside', async () => {
    const { destroyed } = await slJson<{ destroyed: string[] }>(['down', '-f', work.file, '--yes']);
    expect(destroyed.sort()).toEqual([...NAMES].sort());
    const units = ['silver*', 'apache2*', 'haproxy*', 'mariadb*'];
    const running = ['systemctl', 'list-units', '--plain', '--no-legend', '--state=active', '--type=service', ...units];
    await expect.poll(() => everywhere(running)).toEqual(['', '', '', '']);
    const ours =
      'find / /var/lib/silverlining -xdev -path /proc -prune -o \\( -type f -o -type l \\) -ipath "*silver*" ! -name 90silverlining-proxy ! -name silverlining-loop.conf -print';
    expect(await everywhere(['sh', '-c', ours], [1])).toEqual(['', '', '', '']);
    expect(await everywhere(['sh', '-c', 'grep silverlining /etc/hosts; nft list tables'], [1])).toEqual(
      Array(4).fill(''),
    );
    const changed = 'for it in apache2 haproxy mariadb-server logrotate; do dpkg --verify $it; done | grep " /etc/"';
    expect(await everywhere(['sh', '-c', changed], [1])).toEqual(['', '', '', '']);
    for (const name of [APP1, APP2]) {
      expect(await machines.exec(name, ['ls', '/var/www'])).toMatchObject({ stdout: 'html\n' });
    }
  });

  it('brings the same machines up again, and the rows are still there', async () => {
    await everywhere(['systemctl', 'start', 'ssh.service']);
    await up();
    await fourHealthyNodes();
    expect((await page()).body).toContain('bare metal');
  });
});
