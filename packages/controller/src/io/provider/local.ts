import { join } from 'node:path';
import { SlError } from '@silverlining/protocol';
import { LOCAL_IMAGES } from '../../core/local-images.ts';
import type { CreateNodeRequest, NodeImage, NodeSize, Provider, ProviderNode } from '../../ports.ts';
import { requireHostPackages } from '../host-packages.ts';
import { bootNode, isRunning, killNode } from './local-container.ts';
import { prepareDisk, removeDisk } from './local-disk.ts';
import { requireRoot } from './local-host.ts';
import { requireSuite } from './local-image.ts';
import type { LocalNetwork } from './local-network.ts';
import { type NodeRecord, readNode, writeNode } from './local-node-record.ts';
import { packageProxyUrl } from './local-package-cache.ts';
import type { LocalSite, Work } from './local-site.ts';

/** Options of `[provider]` with `provider = local`. */
export interface LocalProviderOptions {
  /** Image of nodes that ask for none; `debian:bookworm` when not given. */
  image?: string | undefined;
}

const DEFAULT_IMAGE = 'debian:bookworm';

/**
 * Nodes that are systemd-nspawn containers on this machine. Everything is under `STATE/local`; what runs is known from
 * control groups, so nothing here has to be remembered, and any step that was cut short can be taken again.
 *
 * Nodes share this machine's processors and memory and nothing limits them, so there are no sizes to choose from.
 */
export class LocalProvider implements Provider {
  readonly driver = 'local';
  readonly keepsMachines = false;
  readonly onThisMachine = true;
  readonly #site: LocalSite;
  readonly #image: string;

  constructor(site: LocalSite, options: LocalProviderOptions = {}) {
    this.#site = site;
    this.#image = options.image ?? DEFAULT_IMAGE;
    requireSuite(this.#image);
  }

  async list(set: string, _signal: AbortSignal): Promise<ProviderNode[]> {
    const records = (await this.#site.nodes()).filter((record) => record.set === set);
    return Promise.all(records.map((record) => this.#describe(record)));
  }

  async create(request: CreateNodeRequest, report: (text: string) => void, signal: AbortSignal): Promise<ProviderNode> {
    requireRoot();
    await requireHostPackages();
    if (signal.aborted) throw new SlError('E_ABORTED', `creating ${request.name} was cancelled`);
    return this.#site.onNode(request.uuid, async () => {
      const work = { report, signal };
      return this.#boot((await this.#adopt(request)) ?? (await this.#reserve(request, work)), work);
    });
  }

  async start(id: string, signal: AbortSignal): Promise<ProviderNode> {
    requireRoot();
    await requireHostPackages();
    return this.#site.onNode(id, async () => {
      const record = await readNode(this.#site.paths(id));
      if (record === undefined) throw new SlError('E_PROVIDER', `there is no local node ${id}`);
      return this.#boot(record, { report: () => undefined, signal, withoutSsh: true });
    });
  }

  /** Stops the node at once, as pulling the plug would; its disk stays, and `start` brings it up again. */
  async powerOff(id: string): Promise<void> {
    requireRoot();
    await this.#site.onNode(id, () => killNode(this.#site.paths(id), id));
  }

  async destroy(id: string, _signal: AbortSignal): Promise<void> {
    requireRoot();
    const paths = this.#site.paths(id);
    await this.#site.onNode(id, async () => {
      await killNode(paths, id);
      await removeDisk(paths);
    });
    await this.#site.close();
  }

  async sizes(): Promise<NodeSize[]> {
    return [];
  }

  async images(): Promise<NodeImage[]> {
    return [...LOCAL_IMAGES];
  }

  /** Network and package cache are shared by all sets, so they go with the last node of any. */
  async cleanUp(_set: string, _signal: AbortSignal): Promise<void> {
    if (!(await this.#site.exists())) return;
    requireRoot();
    await this.#site.remove();
  }

  /** The node that an earlier attempt with the UUID began, if any. */
  async #adopt(request: CreateNodeRequest): Promise<NodeRecord | undefined> {
    const record = await readNode(this.#site.paths(request.uuid));
    if (record === undefined || (record.set === request.set && record.name === request.name)) return record;
    const { name, set } = record;
    throw new SlError('E_CONFLICT', `the local node ${request.uuid} is ${name} of ${set}, not ${request.name}`);
  }

  #reserve(request: CreateNodeRequest, work: Work): Promise<NodeRecord> {
    const { uuid, name, set } = request;
    return this.#site.reserve({ uuid, name, set, image: request.image ?? this.#image }, work);
  }

  async #boot(record: NodeRecord, work: Work & { withoutSsh?: boolean }): Promise<ProviderNode> {
    const network = await this.#site.open(work.signal);
    const prepared = record.prepared ? record : await this.#prepare(record, network);
    work.report(`booting ${record.name}`);
    await bootNode(this.#site.paths(record.uuid), prepared, {
      bridge: network.bridge,
      withoutSsh: work.withoutSsh ?? false,
      signal: work.signal,
    });
    return this.#describe(prepared);
  }

  async #prepare(record: NodeRecord, network: LocalNetwork): Promise<NodeRecord> {
    const paths = this.#site.paths(record.uuid);
    const hostKey = await prepareDisk(paths, record, {
      lower: join('../../images', record.image),
      gateway: network.hostAddress,
      proxyUrl: packageProxyUrl(network),
      authorizedKey: await this.#site.identity(),
    });
    const prepared: NodeRecord = { ...record, prepared: true, hostKey };
    await writeNode(paths, prepared);
    return prepared;
  }

  async #describe(record: NodeRecord): Promise<ProviderNode> {
    const { uuid, name, address, hostKey } = record;
    const hostKeys = hostKey === undefined ? [] : [hostKey];
    const ssh = { host: address, port: 22, user: 'root', identityFile: this.#site.identityFile, hostKeys };
    return { id: uuid, name, uuid, address, state: (await isRunning(record)) ? 'running' : 'stopped', ssh };
  }
}
