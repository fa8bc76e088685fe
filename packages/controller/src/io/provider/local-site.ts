import { join } from 'node:path';
import { SlError } from '@silverlining/protocol';
import { exists, makeDirectoryDurable } from '@silverlining/system';
import type { Directories } from '../directories.ts';
import { diskCommand } from '../host-packages.ts';
import { KeyedMutex } from './keyed-mutex.ts';
import { removeParentGroups } from './local-cgroup.ts';
import { ensureIdentity } from './local-disk.ts';
import { ensureImage } from './local-image.ts';
import { raiseInotifyLimit } from './local-limits.ts';
import { ensureNetwork, type LocalNetwork, networkRange, removeNetwork } from './local-network.ts';
import { type NodePaths, type NodeRecord, newNode, nodePaths, readNodes, writeNode } from './local-node-record.ts';
import { ensurePackageCache, stopPackageCache } from './local-package-cache.ts';
import { chooseAddress } from './local-subnet.ts';

/** How a long operation tells of its progress, and how it is cancelled. */
export interface Work {
  report: (text: string) => void;
  signal: AbortSignal;
}

type NodeWish = Pick<NodeRecord, 'uuid' | 'set' | 'name' | 'image'>;

/**
 * What all local nodes of a state directory share: images, network, package cache and the key that reaches them. There is one in
 * a process, since it alone knows which operations, of whatever set, are at them.
 */
export class LocalSite {
  readonly #directories: Directories;
  readonly #networkLock: string | undefined;
  readonly #mutex = new KeyedMutex();
  #reserving = 0;

  /** `networkLock` in place of the one of this machine, where nothing of the machine's own network is touched. */
  constructor(directories: Directories, networkLock?: string) {
    this.#directories = directories;
    this.#networkLock = networkLock;
  }

  paths(uuid: string): NodePaths {
    return nodePaths(this.#path('nodes'), uuid);
  }

  /** Runs `work` on a node, after what was asked for it before. */
  onNode<T>(uuid: string, work: () => Promise<T>): Promise<T> {
    return this.#mutex.run(uuid, work);
  }

  /** Nodes of all sets. */
  nodes(): Promise<NodeRecord[]> {
    return readNodes(this.#path('nodes'));
  }

  /** Private key that root's account on every node accepts. */
  get identityFile(): string {
    return join(this.#path('ssh'), 'id_ed25519');
  }

  /** Makes the key if there is none, and returns its public half. */
  identity(): Promise<string> {
    return this.#mutex.run('identity', () => ensureIdentity(this.identityFile));
  }

  /** Gives the node an image and an address and writes down that it is to be, before anything of it is made. */
  async reserve(node: NodeWish, work: Work): Promise<NodeRecord> {
    // Not while `remove` is at it, which would take the image away again.
    await this.#mutex.run('network', async () => {
      this.#reserving += 1;
    });
    try {
      const image = await this.#ensureImage(node.image, work);
      return await this.#mutex.run('network', () => this.#record({ ...node, image }, work.signal));
    } finally {
      this.#reserving -= 1;
    }
  }

  /** Makes sure that what nodes rely on while they run is there. */
  open(signal: AbortSignal): Promise<LocalNetwork> {
    return this.#mutex.run('network', async () => {
      await raiseInotifyLimit();
      const network = await this.#network(signal);
      await ensurePackageCache({ network, directory: this.#path('packages'), cache: this.#directories.cache, signal });
      return network;
    });
  }

  /** Stops what only nodes need, if there are none. */
  close(): Promise<void> {
    return this.#mutex.run('network', async () => {
      if ((await this.nodes()).length === 0) await stopPackageCache(this.#path('packages'));
    });
  }

  /** Whether anything was ever made here. */
  exists(): Promise<boolean> {
    return exists(this.#path());
  }

  /** Removes everything, if there are no nodes and none is about to be. */
  remove(): Promise<void> {
    return this.#mutex.run('network', async () => {
      if (this.#reserving > 0 || (await this.nodes()).length > 0) return;
      await stopPackageCache(this.#path('packages'));
      await removeNetwork(this.#path('network.json'));
      await removeParentGroups();
      await diskCommand(['rm', '-rf', '--one-file-system', '--', this.#path()]);
    });
  }

  #ensureImage(name: string, work: Work): Promise<string> {
    const [cache, images] = [this.#directories.cache, this.#path('images')];
    return ensureImage({ ...work, name, cache, images });
  }

  async #record(node: NodeWish, signal: AbortSignal): Promise<NodeRecord> {
    const network = await this.#network(signal);
    const taken = (await this.nodes()).map((other) => other.address);
    const address = chooseAddress(networkRange(network), taken);
    if (address === undefined)
      throw new SlError('E_PROVIDER', `${network.subnet} has no free address for ${node.name}`);
    const record = newNode({ ...node, address });
    await writeNode(this.paths(node.uuid), record);
    return record;
  }

  async #network(signal: AbortSignal): Promise<LocalNetwork> {
    await makeDirectoryDurable(this.#path());
    return ensureNetwork(this.#path('network.json'), signal, this.#networkLock);
  }

  #path(...parts: string[]): string {
    return join(this.#directories.state, 'local', ...parts);
  }
}
