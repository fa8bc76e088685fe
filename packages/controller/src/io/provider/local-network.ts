import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { SlError } from '@silverlining/protocol';
import { writeFileDurable } from '@silverlining/system';
import * as z from 'zod/mini';
import { withFileLock } from '../file-lock.ts';
import { hostCommand } from '../host-packages.ts';
import { chooseSubnet, formatAddress, macOf, overlaps, parseRange, type Range } from './local-subnet.ts';

const localNetwork = z.object({
  version: z.literal(1),
  bridge: z.string().check(z.regex(/^sl[0-9a-f]{10}$/)),
  /** `a.b.c.0/24` */
  subnet: z.cidrv4(),
  /** The bridge's address: this machine as nodes see it. */
  hostAddress: z.ipv4(),
  /** Where the package cache listens, on `hostAddress`. */
  packagePort: z.int().check(z.minimum(1024), z.maximum(65535)),
});
/** `network.json`: chosen once for a state directory, since the addresses of its nodes are part of it. */
export type LocalNetwork = z.infer<typeof localNetwork>;

/** Choosing a free range and taking it must be one step for all processes of this machine. */
const LOCK = '/run/lock/silverlining-network.lock';
const LOCK_TIMEOUT_MS = 30_000;
const FIRST_PACKAGE_PORT = 3143;
const PREFIX = 24;
const ARP_RETRY_MS = '100';

/** Last in line: matters only when the bridge, whose own route comes first, is not there. */
const UNREACHABLE_METRIC = '4278198272';

/** The persisted network, if one was chosen. */
export async function readNetwork(file: string): Promise<LocalNetwork | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const parsed = localNetwork.safeParse(JSON.parse(text));
  if (!parsed.success) throw new SlError('E_PROVIDER', `${file} is damaged`, { cause: parsed.error });
  return parsed.data;
}

/** Chooses the network if there is none yet, and makes its bridge and routes if they are not there (any more). */
export async function ensureNetwork(file: string, signal: AbortSignal, lock = LOCK): Promise<LocalNetwork> {
  const known = await readNetwork(file);
  if (known !== undefined && (await isUp(known))) return known;
  return withFileLock(lock, { signal, deadline: LOCK_TIMEOUT_MS }, async () => {
    // Whoever had the lock before may have chosen it.
    const network = (await readNetwork(file)) ?? (await choose(file));
    await refuseClash(network);
    await bringUp(network);
    return network;
  });
}

/** Removes bridge, routes and file, whichever are there. */
export async function removeNetwork(file: string): Promise<void> {
  const network = await readNetwork(file);
  if (network === undefined) return;
  await hostCommand(['ip', 'link', 'delete', network.bridge], { allowExit: [1] });
  await hostCommand(['ip', 'route', 'delete', 'unreachable', network.subnet, 'metric', UNREACHABLE_METRIC], {
    allowExit: [1, 2],
  });
  await rm(file, { force: true });
}

/** The network's range. */
export function networkRange(network: LocalNetwork): Range {
  const range = parseRange(network.subnet);
  if (range === undefined) throw new SlError('E_INTERNAL', `"${network.subnet}" is no network`);
  return range;
}

async function choose(file: string): Promise<LocalNetwork> {
  const hash = createHash('sha256').update(file).digest();
  const range = chooseSubnet(
    hash.readUInt32BE(0),
    (await routes()).map((route) => route.range),
  );
  if (range === undefined)
    throw new SlError('E_PROVIDER', 'no free range between 10.64.0.0 and 10.127.255.255 for local nodes');
  const network: LocalNetwork = {
    version: 1,
    bridge: `sl${hash.toString('hex').slice(0, 10)}`,
    subnet: `${formatAddress(range.first)}/${PREFIX}`,
    hostAddress: formatAddress(range.first + 1),
    packagePort: await freePort(FIRST_PACKAGE_PORT),
  };
  await writeFileDurable(file, `${JSON.stringify(network, null, 2)}\n`);
  return network;
}

interface Route {
  range: Range;
  device: string | undefined;
  text: string;
}

const ipRoutes = z.array(z.object({ dst: z.string(), dev: z.optional(z.string()), type: z.optional(z.string()) }));

async function routes(): Promise<Route[]> {
  const { stdout } = await hostCommand(['ip', '-json', '-4', 'route', 'show', 'table', 'all']);
  return ipRoutes.parse(JSON.parse(stdout.trim() || '[]')).flatMap(({ dst, dev, type }) => {
    const range = parseRange(dst);
    return range === undefined ? [] : [{ range, device: type === 'unreachable' ? undefined : dev, text: dst }];
  });
}

/** After a restart of the machine something else may have taken the range that our nodes' addresses are in. */
async function refuseClash(network: LocalNetwork): Promise<void> {
  const ours = networkRange(network);
  const other = (await routes()).find(
    ({ range, device }) => device !== undefined && device !== network.bridge && overlaps(range, ours),
  );
  if (other === undefined) return;
  throw new SlError(
    'E_PROVIDER',
    `the network of the local nodes, ${network.subnet}, is now also that of ${other.device} (${other.text}); ` +
      'take that route away, or destroy the local nodes (sl down) and make them anew',
  );
}

const ipAddresses = z.array(
  z.object({
    addr_info: z.optional(z.array(z.object({ local: z.optional(z.string()) }))),
    flags: z.optional(z.array(z.string())),
  }),
);

async function isUp(network: LocalNetwork): Promise<boolean> {
  const argv = ['ip', '-json', '-4', 'address', 'show', 'dev', network.bridge];
  const { stdout, exitCode } = await hostCommand(argv, { allowExit: [1] });
  if (exitCode !== 0) return false;
  const [link] = ipAddresses.parse(JSON.parse(stdout.trim() || '[]'));
  const hasAddress = link?.addr_info?.some((info) => info.local === network.hostAddress) ?? false;
  return hasAddress && (link?.flags?.includes('UP') ?? false) && (await hasUnreachableRoute(network));
}

async function hasUnreachableRoute(network: LocalNetwork): Promise<boolean> {
  const argv = ['ip', '-4', 'route', 'show', 'type', 'unreachable', 'exact', network.subnet];
  return (await hostCommand(argv)).stdout.includes('unreachable');
}

async function bringUp(network: LocalNetwork): Promise<void> {
  const { bridge, hostAddress } = network;
  // First the route: from here on nothing for these addresses can leave through the default route.
  await hostCommand(['ip', 'route', 'replace', 'unreachable', network.subnet, 'metric', UNREACHABLE_METRIC]);
  // 2: the bridge exists. Its own MAC, or it would take over one port's after the other.
  const add = ['ip', 'link', 'add', 'name', bridge, 'address', macOf(hostAddress), 'type', 'bridge'];
  await hostCommand(add, { allowExit: [2] });
  await hostCommand(['ip', 'address', 'replace', `${hostAddress}/${PREFIX}`, 'dev', bridge]);
  await hostCommand(['ip', 'link', 'set', bridge, 'up']);
  // A booting node is asked for its MAC before it is there; the default is to ask again after a second.
  await hostCommand(['ip', 'ntable', 'change', 'name', 'arp_cache', 'dev', bridge, 'retrans', ARP_RETRY_MS]);
}

/** The first port from `from` on that nothing on this machine listens on. */
async function freePort(from: number): Promise<number> {
  for (let port = from; port < from + 1000; port += 1) {
    if (await canListen(port)) return port;
  }
  throw new SlError('E_PROVIDER', `no free port from ${from} on for the package cache of local nodes`);
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '0.0.0.0' }, () => server.close(() => resolve(true)));
  });
}
