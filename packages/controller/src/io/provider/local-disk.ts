import { chmod, lstat, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { diskCommand, hostCommand } from '../host-packages.ts';
import type { NodePaths, NodeRecord } from './local-node-record.ts';
import { macOf } from './local-subnet.ts';

/** Directories of the node that are plain ones of the host: an overlay cannot stand on an overlay, and releases are overlays. */
export const PLAIN_DIRECTORIES = ['var/lib/silverlining', 'var/www'] as const;

/** All nodes of the machine share them. */
const LOOP_DEVICES = 256;

export interface DiskOptions {
  /** The image's directory, from the node's. */
  lower: string;
  gateway: string;
  proxyUrl: string;
  /** Line for root's authorized_keys. */
  authorizedKey: string;
}

/**
 * Makes the node's layer over the image, from scratch: whatever an interrupted attempt left is dropped.
 * Returns the node's public host key.
 */
export async function prepareDisk(paths: NodePaths, record: NodeRecord, options: DiskOptions): Promise<string> {
  const { upper, work, root, data, lower } = paths;
  await diskCommand(['rm', '-rf', '--one-file-system', '--', upper, work, root, data, lower]);
  await symlink(options.lower, lower);
  for (const path of [upper, work, root, data]) await makeDirectory(path, 0o755);
  for (const plain of PLAIN_DIRECTORIES) await makeDirectory(plainSource(paths, plain), 0o755);
  for (const file of files(record, options)) await writeUpper(upper, file);
  const key = join(upper, 'etc/ssh/ssh_host_ed25519_key');
  await makeDirectory(join(upper, 'etc/ssh'), 0o755);
  await makeKey(key, `root@${record.name}`);
  await diskCommand(['sync', '--file-system', upper]);
  return publicKey(key);
}

/** Where the host keeps one of the plain directories. */
export function plainSource(paths: NodePaths, plain: string): string {
  return join(paths.data, plain.replaceAll('/', '-'));
}

/** The record goes last: as long as there is anything to remove, the node can be found and destroyed again. */
export async function removeDisk(paths: NodePaths): Promise<void> {
  const remove = ['rm', '-rf', '--one-file-system', '--'];
  const { root, work, upper, data, lower, log } = paths;
  await diskCommand([...remove, root, work, upper, data, lower, log]);
  await diskCommand([...remove, paths.directory]);
}

/** Makes the key pair `file` and `file.pub` unless it is there, and returns the public key. */
export async function ensureIdentity(file: string): Promise<string> {
  if (!(await isFile(`${file}.pub`))) {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    // The public half is written last: without it the pair was never used.
    await hostCommand(['rm', '-f', '--', file]);
    await makeKey(file, 'silverlining');
  }
  return publicKey(file);
}

async function makeKey(file: string, comment: string): Promise<void> {
  await hostCommand(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', file]);
}

/** Type and key, without the comment. */
async function publicKey(file: string): Promise<string> {
  const [type = '', key = ''] = (await readFile(`${file}.pub`, 'utf8')).trim().split(' ');
  return `${type} ${key}`;
}

interface UpperFile {
  path: string;
  content: string;
  mode?: number;
}

function files(record: NodeRecord, options: DiskOptions): UpperFile[] {
  const { name, address } = record;
  const short = name.split('.')[0] ?? name;
  const names = short === name ? name : `${name} ${short}`;
  return [
    { path: 'etc/hostname', content: `${name}\n` },
    {
      path: 'etc/hosts',
      content: `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n${address}\t${names}\n`,
    },
    { path: 'etc/machine-id', content: `${record.uuid.replaceAll('-', '')}\n`, mode: 0o444 },
    { path: 'etc/network/interfaces', content: interfaces(address, options.gateway) },
    { path: 'etc/apt/apt.conf.d/90silverlining-proxy', content: aptProxy(options.proxyUrl) },
    { path: 'etc/tmpfiles.d/silverlining-loop.conf', content: loopDevices() },
    { path: 'root/.ssh/authorized_keys', content: `${options.authorizedKey} silverlining\n`, mode: 0o600 },
  ];
}

/** apt waits for ever for a pipelined request whose connection the cache closed, so it asks for one thing at a time. */
function aptProxy(url: string): string {
  return `Acquire::http::Proxy "${url}";\nAcquire::http::Pipeline-Depth "0";\n`;
}

/** Releases are images on loop devices, which a container has to be given; the kernel makes them when they are wanted. */
function loopDevices(): string {
  const devices = Array.from({ length: LOOP_DEVICES }, (_, i) => `b! /dev/loop${i} 0660 root disk - 7:${i}\n`);
  return `c! /dev/loop-control 0660 root disk - 10:237\n${devices.join('')}`;
}

function interfaces(address: string, gateway: string): string {
  return `auto lo
iface lo inet loopback

auto host0
iface host0 inet static
    hwaddress ${macOf(address)}
    address ${address}/24
    gateway ${gateway}
`;
}

/** A directory in the upper layer hides the mode of the one below it, so each needs the mode that Debian gives it. */
async function writeUpper(upper: string, file: UpperFile): Promise<void> {
  const parts = file.path.split('/').slice(0, -1);
  for (const [index] of parts.entries()) {
    const directory = parts.slice(0, index + 1).join('/');
    await makeDirectory(join(upper, directory), directory.startsWith('root') ? 0o700 : 0o755);
  }
  const path = join(upper, file.path);
  await writeFile(path, file.content);
  await chmod(path, file.mode ?? 0o644);
}

async function makeDirectory(path: string, mode: number): Promise<void> {
  await mkdir(path, { recursive: true });
  await chmod(path, mode);
}

function isFile(path: string): Promise<boolean> {
  return lstat(path).then(
    (stat) => stat.isFile(),
    () => false,
  );
}
