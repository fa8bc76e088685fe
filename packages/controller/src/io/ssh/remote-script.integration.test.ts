import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exec } from '@silverlining/system';
import { expect, it, onTestFinished } from 'vitest';
import { remoteCommand, scriptFromInput } from '../../core/bootstrap/ssh-argv.ts';
import { RemoteEnded, startRemote } from './remote-script.ts';

const never = new AbortController().signal;

/** The other end, without ssh: a script that speaks as the install script does. */
const remote = (script: string, signal = never) => startRemote(['sh', '-c', script], signal);

const ECHO = `echo a banner; echo 'silver:arch x86_64'; echo silver:ready
while read -r order length rest; do
  case "$order" in
    put) echo "silver:got $(head -c "$length" | tr -d '\\n')" ;;
    *) echo "silver:failed $order $length $rest"; exit 1 ;;
  esac
  echo silver:ok
done`;

it('gives orders with their content and returns the answers', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sl-remote-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'content'), 'from a file');
  const script = remote(ECHO);
  expect(await script.greeting()).toEqual(['arch x86_64']);
  expect(await script.order(['put', 5], 'hello')).toEqual(['got hello']);
  expect(await script.order(['put', 11], { file: join(folder, 'content'), size: 11 })).toEqual(['got from a file']);
  await script.close();
});

it('says what the script said of a failure, also to later orders', async () => {
  const script = remote(ECHO);
  await script.greeting();
  await expect(script.order(['put?', 'no', 'space'])).rejects.toMatchObject({
    code: 'E_SSH',
    message: 'put? no space',
  });
  await expect(script.order(['put', 1], 'x')).rejects.toMatchObject({ code: 'E_SSH' });
  await script.close();
});

it('tells of each line that comes and each piece of content that is taken, so that nobody gives up what gets on', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sl-remote-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [file, size] = [join(folder, 'content'), 4 << 20];
  await writeFile(file, Buffer.alloc(size));
  let moves = 0;
  const script = startRemote(['sh', '-c', ECHO], never, { moved: () => moves++ });
  onTestFinished(() => script.close());
  await script.greeting();
  expect(moves).toBe(3);
  await script.order(['put', size], { file, size });
  expect(moves).toBeGreaterThan(32);
});

it('knows whether the script ever ran', async () => {
  for (const [ran, script] of Object.entries({ false: 'exit 1', true: 'echo silver:arch x86_64; exit 1' })) {
    const remote = startRemote(['sh', '-c', script], never);
    expect(String((await remote.greeting().catch((it) => it)).ran)).toBe(ran);
    await remote.close();
  }
});

it('gives the script that it runs first, and orders after that', async () => {
  const text = `# \u00fc\n${ECHO}\n`;
  const command = remoteCommand('root', scriptFromInput(Buffer.byteLength(text)));
  const script = startRemote(['sh', '-c', command], never, { script: text });
  onTestFinished(() => script.close());
  expect(await script.greeting()).toEqual(['arch x86_64']);
  expect(await script.order(['put', 5], 'hello')).toEqual(['got hello']);
});

it('keeps what ssh said when the connection ends', async () => {
  const script = remote('echo "Permission denied (publickey)." >&2; exit 255');
  const error = await script.greeting().catch((it: unknown) => it);
  expect(error).toBeInstanceOf(RemoteEnded);
  expect(error).toMatchObject({ stderr: 'Permission denied (publickey).\n', exitCode: 255 });
  await script.close();
});

it('refuses an order whose content is still being sent, whatever ends first, and leaves no refusal unheard', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sl-remote-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'content');
  await writeFile(file, Buffer.alloc(32 << 20));
  const send = async (signal: AbortSignal) => {
    const script = remote('echo silver:ready; read -r order; exec cat >/dev/null', signal);
    const sent = script.greeting().then(() => script.order(['put', 32 << 20], { file, size: 32 << 20 }));
    await expect(sent).rejects.toBeInstanceOf(RemoteEnded);
    await script.close();
  };
  for (let round = 0; round < 100; round++) {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 4 + (round % 8));
    await Promise.all([send(controller.signal), send(controller.signal)]);
  }
});

it('ends with the signal, and when there is no ssh', async () => {
  const controller = new AbortController();
  const script = remote('exec sleep 600', controller.signal);
  const greeting = script.greeting();
  controller.abort();
  await expect(greeting).rejects.toBeInstanceOf(RemoteEnded);
  await script.close();
  const missing = startRemote(['no-such-ssh'], never);
  const message = expect.stringMatching(/ssh cannot be started .*ENOENT.*openssh-client/);
  await expect(missing.greeting()).rejects.toMatchObject({ code: 'E_SSH', message });
});

it('ends with the signal though a command of its configuration, in its group or out of it, does not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sl-remote-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const inGroup = join(folder, 'in-group');
  await exec(['mkfifo', inGroup]);
  const controller = new AbortController();
  const commands = `setsid sleep 600 & echo "silver:$!"; (echo silver:ready >&3; exec sleep 600) 3>&1 > ${inGroup} &`;
  const script = remote(`${commands} wait`, controller.signal);
  const released = readFile(inGroup);
  const [pid = ''] = await script.greeting();
  const answer = script.order(['put', 1], 'x');
  controller.abort();
  await expect(answer).rejects.toBeInstanceOf(RemoteEnded);
  await script.close();
  process.kill(Number(pid), 'SIGKILL');
  await released;
});

it('says what ssh said when that has ended, though a command of its configuration lives on and holds its pipes', async () => {
  for (const holder of ['sleep 30', 'setsid sleep 30']) {
    const script = remote(`${holder} & echo "Connection closed by UNKNOWN port 65535" >&2; exit 255`);
    const error = await script.greeting().catch((it: unknown) => it);
    expect(error).toMatchObject({ stderr: 'Connection closed by UNKNOWN port 65535\n', exitCode: 255 });
    await script.close();
  }
});

it('refuses an order whose content cannot be read, and those after it', async () => {
  const script = remote(ECHO);
  await script.greeting();
  const refusal = { code: 'E_SSH', message: expect.stringContaining('/no/such/file of this machine cannot be read') };
  await expect(script.order(['put', 5], { file: '/no/such/file', size: 5 })).rejects.toMatchObject(refusal);
  await expect(script.order(['put', 1], 'x')).rejects.toMatchObject(refusal);
  await script.close();
});

it('refuses an order whose content turns out shorter than it was, which the other end would wait for', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sl-remote-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'content');
  await writeFile(file, 'cut');
  const script = remote(ECHO);
  onTestFinished(() => script.close());
  await script.greeting();
  await expect(script.order(['put', 11], { file, size: 11 })).rejects.toMatchObject({
    code: 'E_SSH',
    message: expect.stringMatching(/content of this machine .* 3 of 11 bytes/),
  });
});

it('sends no more of a file than was announced', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sl-remote-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'content');
  await writeFile(file, 'it has grown');
  const script = remote(ECHO);
  onTestFinished(() => script.close());
  await script.greeting();
  expect(await script.order(['put', 2], { file, size: 2 })).toEqual(['got it']);
  expect(await script.order(['put', 0], { file, size: 0 })).toEqual(['got ']);
  expect(await script.order(['put', 1], 'x')).toEqual(['got x']);
});
