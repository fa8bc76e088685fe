import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { remoteCommand, scriptFromInput } from '../../core/bootstrap/ssh-argv.ts';
import { startRemote } from './remote-script.ts';

/** Starts a script as the bootstrap starts one, but for ssh. */
function asInput(text: string) {
  const command = remoteCommand('root', scriptFromInput(Buffer.byteLength(text)));
  const script = startRemote(['sh', '-c', command], new AbortController().signal, { script: text });
  onTestFinished(() => script.close());
  return script;
}

const INSTALL = readFileSync(new URL('../../../../../bootstrap/install.sh', import.meta.url), 'utf8');

/** Runs it as the bootstrap does, but for ssh, on a node of its own below `root`, which takes whoever asks for root. */
function install(root: string) {
  const here = INSTALL.replace(/^(base|conf)=/gm, `$1=${root}`)
    .replace('-d /run/systemd/system', '-d /')
    .replaceAll('/var/lib/', `${root}/var/lib/`);
  return asInput(`id() { echo 0; }; systemctl() { :; }\n${here}`);
}

async function emptyNode(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'sl-node-'));
  onTestFinished(() => rm(root, { recursive: true }));
  return root;
}

it('hears the install script though a start-up file of the shell wrote half a line before', async () => {
  const script = asInput(`printf Welcome; id() { echo 1000; }\n${INSTALL}`);
  await expect(script.greeting()).rejects.toMatchObject({ code: 'E_SSH', message: 'not root' });
});

it('hears of what the node is, and of programs that it has as they are, not of what its disk made of others', async () => {
  const root = await emptyNode();
  const [whole, other] = [createHash('sha256').update('a program').digest('hex'), 'b'.repeat(64)];
  for (const digest of [whole, other]) {
    await mkdir(`${root}/opt/silverlining/runtime/${digest}`, { recursive: true });
    await writeFile(`${root}/opt/silverlining/runtime/${digest}/node`, 'a program');
  }
  await mkdir(`${root}/etc/silverlining`, { recursive: true });
  await writeFile(`${root}/etc/silverlining/agent.json`, '{"version":1,"set":"web-shop","node":"app1"}\n');
  const greeting = await install(root).greeting();
  const has = greeting.filter((line) => line.startsWith('has '));
  expect(greeting).toContain('set web-shop');
  expect(has).toEqual([`has ${root}/opt/silverlining/runtime/${whole}/node`]);
});

it('removes runtimes of earlier versions, but not while an app runs under one that may start more by its path', async () => {
  const root = await emptyNode();
  const runtimes = `${root}/opt/silverlining/runtime`;
  for (const digest of ['current', 'former', 'idle']) {
    await mkdir(`${runtimes}/${digest}`, { recursive: true });
    await copyFile('/bin/sleep', `${runtimes}/${digest}/node`);
  }
  await mkdir(`${root}/etc/silverlining/identity`, { recursive: true });
  const app = spawn(`${runtimes}/former/node`, ['600']);
  await once(app, 'spawn');
  const left = async () => {
    const script = install(root);
    await script.greeting();
    await script.order(['start', '1', 'current', 'bundle']);
    return (await readdir(runtimes)).sort();
  };
  expect(await left()).toEqual(['current', 'former']);
  app.kill();
  await once(app, 'exit');
  expect(await left()).toEqual(['current']);
});
