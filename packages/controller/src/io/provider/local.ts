import { totalmem } from 'node:os';
import { join } from 'node:path';
import { SlError } from '@silverlining/protocol';
import type { CreateNodeRequest, NodeImage, NodeSize, Provider, ProviderNode } from '../../ports.ts';
import type { Directories } from '../directories.ts';
import { makeDirectoryDurable } from '../durable-file.ts';
import { hostCommand, requireHostPackages } from '../host-packages.ts';
import { KeyedMutex } from './keyed-mutex.ts';
import { removeParentGroups } from './local-cgroup.ts';
import { bootNode, isRunning, killNode } from './local-container.ts';
import { ensureIdentity, prepareDisk } from './local-disk.ts';
import { ensureImage, LOCAL_IMAGES, suiteOf } from './local-image.ts';
import { ensureNetwork, type LocalNetwork, networkRange, removeNetwork } from './local-network.ts';
import {
  type NodePaths,
  type NodeRecord,
  newNode,
  nodePaths,
  readNode,
  readNodes,
  writeNode,
} from './local-node-record.ts';
import { ensurePackageCache, packageProxyUrl, stopPackageCache } from './local-package-cache.ts';
import { chooseAddress } from './local-subnet.ts';

export interface LocalProviderOptions {
  /** Image of nodes that ask for none; `debian:bookworm` when not given. */
  image?: string | undefined;
  /** Package archive that images are built from; Debian's own when not given. */
  mirror?: string | undefined;
}

const NETWORK = 'network';
const DEFAULT_IMAGE = 'debian:bookworm';

/**
 * Nodes that are systemd-nspawn containers on this machine. Everything is under `STATE/local`; what runs is known from
 * control groups, so nothing here has to be remembered, and any step that was cut short can be taken again.
 *
 * Nodes share this machine's processors and memory and nothing limits them, so there is one size, `host`, and `create`
 * meets every wish for a size with it.
 */
export class LocalProvider implements Provider {
  readonly driver = 'local';
  readonly #directories: Directories;
  readonly #options: LocalProviderOptions;
  readonly #mutex = new KeyedMutex();

  constructor(directories: Directories, options: LocalProviderOptions = {}) {
    this.#directories = directories;
    this.#options = options;
    suiteOf(options.image ?? DEFAULT_IMAGE);
  }

  async list(set: string, _signal: AbortSignal): Promise<ProviderNode[]> {
    const records = (await readNodes(this.#path('nodes'))).filter((record) => record.set === set);
    return Promise.all(records.map((record) => this.#describe(record)));
  }

  async create(request: CreateNodeRequest, report: (text: string) => void, signal: AbortSignal): Promise<ProviderNode> {
    requireRoot();
    await requireHostPackages();
    if (signal.aborted) throw new SlError('E_ABORTED', `creating ${request.name} was cancelled`);
    return this.#mutex.run(request.uuid, async () => {
      const paths = this.#paths(request.uuid);
      const record = (await this.#adopt(paths, request)) ?? (await this.#journal(paths, request, { report, signal }));
      return this.#boot(paths, record, signal, report);
    });
  }

  async start(id: string, signal: AbortSignal): Promise<ProviderNode> {
    requireRoot();
    await requireHostPackages();
    const paths = this.#paths(id);
    return this.#mutex.run(id, async () => {
      const record = await readNode(paths);
      if (record === undefined) throw new SlError('E_PROVIDER', `there is no local node ${id}`);
      return this.#boot(paths, record, signal);
    });
  }

  async destroy(id: string, _signal: AbortSignal): Promise<void> {
    requireRoot();
    const paths = this.#paths(id);
    await this.#mutex.run(id, async () => {
      await killNode(paths, id);
      await removeDisk(paths);
    });
    await this.#mutex.run(NETWORK, async () => {
      if ((await readNodes(this.#path('nodes'))).length === 0) await stopPackageCache(this.#path('packages'));
    });
  }

  /** Stops the node at once, as pulling the plug would; its disk stays, and `start` brings it up again. */
  async powerOff(id: string): Promise<void> {
    requireRoot();
    await this.#mutex.run(id, () => killNode(this.#paths(id), id));
  }

  async sizes(): Promise<NodeSize[]> {
    return [{ id: 'host', name: 'host', ram: Math.floor(totalmem() / 2 ** 20) }];
  }

  async images(): Promise<NodeImage[]> {
    return [...LOCAL_IMAGES];
  }

  async cleanUp(_set: string, _signal: AbortSignal): Promise<void> {
    await this.#mutex.run(NETWORK, async () => {
      if ((await readNodes(this.#path('nodes'))).length > 0) return;
      await stopPackageCache(this.#path('packages'));
      await removeNetwork(this.#path('network.json'));
      await removeParentGroups();
      await hostCommand(['rm', '-rf', '--one-file-system', '--', this.#path()]);
    });
  }

  /** The node that an earlier attempt with the UUID began, if any. */
  async #adopt(paths: NodePaths, request: CreateNodeRequest): Promise<NodeRecord | undefined> {
    const record = await readNode(paths);
    if (record === undefined || (record.set === request.set && record.name === request.name)) return record;
    throw new SlError(
      'E_CONFLICT',
      `the local node ${request.uuid} is ${record.name} of ${record.set}, not ${request.name}`,
    );
  }

  /** Writes down that the node is to be, before anything of it is made. */
  async #journal(paths: NodePaths, request: CreateNodeRequest, work: Work): Promise<NodeRecord> {
    const { uuid, name, set } = request;
    const image = await ensureImage({
      ...work,
      name: request.image ?? this.#options.image ?? DEFAULT_IMAGE,
      mirror: this.#options.mirror,
      cache: this.#directories.cache,
      images: this.#path('images'),
    });
    return this.#mutex.run(NETWORK, async () => {
      const network = await this.#ensureNetwork(work.signal);
      const taken = (await readNodes(this.#path('nodes'))).map((node) => node.address);
      const address = chooseAddress(networkRange(network), taken);
      if (address === undefined) throw new SlError('E_PROVIDER', `${network.subnet} has no free address for ${name}`);
      const record = newNode({ uuid, name, set, address, image });
      await writeNode(paths, record);
      return record;
    });
  }

  async #boot(
    paths: NodePaths,
    record: NodeRecord,
    signal: AbortSignal,
    report: (text: string) => void = () => undefined,
  ): Promise<ProviderNode> {
    const network = await this.#mutex.run(NETWORK, async () => {
      const ensured = await this.#ensureNetwork(signal);
      const options = { network: ensured, directory: this.#path('packages'), cache: this.#directories.cache, signal };
      await ensurePackageCache(options);
      return ensured;
    });
    const prepared = record.prepared ? record : await this.#prepare(paths, record, network);
    report(`booting ${record.name}`);
    await bootNode(paths, prepared, { bridge: network.bridge, signal });
    return this.#describe(prepared);
  }

  async #prepare(paths: NodePaths, record: NodeRecord, network: LocalNetwork): Promise<NodeRecord> {
    const identity = await this.#mutex.run('identity', () => ensureIdentity(this.#path('ssh')));
    const hostKey = await prepareDisk(paths, record, {
      lower: join('../../images', record.image),
      gateway: network.hostAddress,
      proxyUrl: packageProxyUrl(network),
      authorizedKey: identity.publicKey,
    });
    const prepared: NodeRecord = { ...record, prepared: true, hostKey };
    await writeNode(paths, prepared);
    return prepared;
  }

  async #ensureNetwork(signal: AbortSignal): Promise<LocalNetwork> {
    await makeDirectoryDurable(this.#path());
    return ensureNetwork(this.#path('network.json'), signal);
  }

  async #describe(record: NodeRecord): Promise<ProviderNode> {
    return {
      id: record.uuid,
      name: record.name,
      uuid: record.uuid,
      address: record.address,
      state: (await isRunning(record)) ? 'running' : 'stopped',
      ssh: {
        host: record.address,
        port: 22,
        user: 'root',
        identityFile: join(this.#path('ssh'), 'id_ed25519'),
        hostKeys: record.hostKey === undefined ? [] : [record.hostKey],
      },
    };
  }

  #paths(id: string): NodePaths {
    return nodePaths(this.#path('nodes'), id);
  }

  #path(...parts: string[]): string {
    return join(this.#directories.state, 'local', ...parts);
  }
}

interface Work {
  report: (text: string) => void;
  signal: AbortSignal;
}

/** The record goes last: as long as there is anything to remove, the node can be found and destroyed again. */
async function removeDisk(paths: NodePaths): Promise<void> {
  const remove = ['rm', '-rf', '--one-file-system', '--'];
  const { root, work, upper, data, lower, log } = paths;
  await hostCommand([...remove, root, work, upper, data, lower, log]);
  await hostCommand([...remove, paths.directory]);
}

function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new SlError(
    'E_PROVIDER',
    'local nodes are containers and need root: run sl as root (with sudo), or use machines that you have with provider = hosts',
  );
}
