import {
  type ActiveMap,
  type InstanceReport,
  type ManifestFile,
  type Role,
  SlError,
  toSlError,
} from '@silverlining/protocol';
import type { ReceivedImage } from '../../content-ports.ts';
import type { Assembly } from '../../core/release/assembly.ts';
import { candidatePorts, holdsAll, isInDoubt } from '../../core/release/choices.ts';
import { type CommittedMap, type InstanceJournal, NOTHING_COMMITTED } from '../../core/release/journal.ts';
import type { Listing } from '../../core/release/listing.ts';
import { othersMapText } from '../../core/release/maps.ts';
import { type InstancePaths, instancePaths } from '../../core/release/paths.ts';
import type { Exclusive, ReleasePorts } from '../../release-ports.ts';

export interface Offer {
  app: string;
  digest: string;
  /** Undefined of one that comes as an image, with its list of files in it. */
  files: OfferedFiles | undefined;
  /** The image, once it came. */
  image?: ReceivedImage;
}

export interface OfferedFiles {
  listing: Listing;
  /** Those of its files that may be missing; all others are of a release that is here. */
  doubtful: readonly ManifestFile[];
  /** Those that the offer said are missing: what is sent, whatever comes with another release meanwhile. */
  missing: readonly ManifestFile[];
  /** Large files of which only a part is to be sent, by path. */
  assemblies: ReadonlyMap<string, Assembly>;
}

/** An instance that is being staged right now. */
export interface Staging {
  abort: AbortController;
  /** Aborted when it is given up, whoever did that. */
  signal: AbortSignal;
  ended: Promise<void>;
}

/** What this process knows of releases: the journal as on disk, and what is under way. */
export class ReleaseState {
  readonly ports: ReleasePorts;
  readonly journals = new Map<string, InstanceJournal>();
  /** By instance; one of each app at most. */
  readonly offers = new Map<string, Offer>();
  readonly stagings = new Map<string, Staging>();
  /** How many images come right now: what comes otherwise does with its order to stage. */
  imagesComing = 0;
  /** Instances that are to be stopped or removed, and are so in part. */
  readonly unfinished = new Map<string, 'stop' | 'remove'>();
  /** Instances that were voted for and could not be started since: nothing is sent to them until they run. */
  readonly unstarted = new Set<string>();
  /** By app, whose name is no other work's key: staging, settling and removing an app's instances never overlap. */
  readonly exclusive: Exclusive;
  committed: CommittedMap = NOTHING_COMMITTED;
  /** Apps of which a release here may lack a content that it should have: of these nothing is taken for granted. */
  readonly doubted = new Set<string>();
  /** The newest map that this process has heard of, whether or not it could follow to it; undefined before it heard of any. */
  heard: Pick<CommittedMap, 'epoch' | 'active'> | undefined;
  /** Whether requests are routed by the committed map here; false as well where nobody knows. */
  isInForce = false;
  /** Whether all of it is gone from the node, or is about to be: nothing is put in force, or can be asked, any more. */
  isRemoved = false;
  /** Ports of instances that are being staged. */
  readonly #reserved = new Map<string, number>();

  constructor(ports: ReleasePorts) {
    this.ports = ports;
    this.exclusive = (app, act) => ports.exclusive(`app ${app}`, act);
  }

  /** Reads what is on disk. */
  async load(): Promise<void> {
    this.journals.clear();
    for (const journal of await this.ports.journals.all()) this.journals.set(journal.instance, journal);
    this.committed = (await this.ports.journals.committed()) ?? NOTHING_COMMITTED;
  }

  get active(): ActiveMap {
    return this.committed.active;
  }

  get isStaging(): boolean {
    return this.stagings.size + this.imagesComing > 0;
  }

  all(): InstanceJournal[] {
    return [...this.journals.values()];
  }

  /** Instances that are being staged for the first time; they have no journal yet. */
  underWay(): InstanceReport[] {
    return [...this.stagings.keys()].flatMap((instance) => {
      const offer = this.offers.get(instance);
      if (offer === undefined || this.journals.has(instance)) return [];
      return [{ app: offer.app, instance, state: 'staging' as const, digest: offer.digest }];
    });
  }

  /** A content was missing, or came damaged, in a release of the app: others may have it too. */
  doubt(app: string): void {
    for (const it of [app, ...this.all().map((journal) => journal.spec.app)]) this.doubted.add(it);
  }

  /**
   * What is wrong in a release that is linked is wrong in the store, and so in all that is made of it later. Files of others are
   * not read again: an app's own are the likeliest to be the same.
   */
  hasDamage(app: string): boolean {
    return this.all().some((it) => it.state === 'failed' && it.spec.app === app);
  }

  pathsOf(app: string, instance: string): InstancePaths {
    return instancePaths(this.ports.paths, app, instance);
  }

  /** Writes the journal durably, then the map of what can be asked. */
  async put(journal: InstanceJournal): Promise<void> {
    await this.ports.journals.put(journal);
    this.journals.set(journal.instance, journal);
    await this.refreshProxy();
  }

  /** Disk first: deleting needs no space, and what fails then leaves everything as it was. */
  async forget(instance: string): Promise<void> {
    await this.ports.journals.delete(instance);
    this.journals.delete(instance);
  }

  /** Takes the place of an earlier one of the app: deploys of a set never overlap, so nobody will stage that any more. */
  addOffer(instance: string, offer: Offer): void {
    for (const [other, { app }] of this.offers) if (app === offer.app) this.offers.delete(other);
    this.offers.set(instance, offer);
  }

  /** Where another one of the instance came meanwhile, that stays. */
  dropOffer(instance: string, offer: Offer | undefined): void {
    if (this.offers.get(instance) === offer) this.offers.delete(instance);
  }

  /** The first free port, reserved until `releasePort`; a journal that names it keeps it after that. */
  async reservePort(instance: string): Promise<number> {
    const taken = [...this.all().map((journal) => journal.port), ...this.#reserved.values()];
    for (const port of candidatePorts(taken)) {
      // Reserved before it is tried: another instance may ask in the meantime.
      if ([...this.#reserved.values()].includes(port)) continue;
      this.#reserved.set(instance, port);
      if (await this.ports.http.isFree(port)) return port;
    }
    this.#reserved.delete(instance);
    throw new SlError('E_CONFLICT', 'no port is free for another instance');
  }

  releasePort(instance: string): void {
    this.#reserved.delete(instance);
  }

  /** Whether this node has the role; with no topology yet, nobody knows. */
  hasRole(role: Role): boolean {
    return this.#roles()?.includes(role) ?? false;
  }

  /** What visitors may be sent to here: nothing where the node is no app server any more. */
  get asked(): ActiveMap {
    return this.#roles()?.includes('appserver') === false ? {} : this.active;
  }

  #roles(): readonly Role[] | undefined {
    const { node } = this.ports;
    return node.topology()?.nodes.find((it) => it.name === node.nodeName)?.roles;
  }

  /** Instances that can be asked, and whether the node may get requests: only when it has all that is active. */
  async refreshProxy(): Promise<void> {
    await this.ports.exclusive('proxy', async () => {
      if (this.isRemoved) return;
      // Both at once: what is voted for while the map is written is not in it yet.
      const instances = new Map(this.#servable().map((it) => [it.instance, it.port]));
      const isReady = this.hasRole('appserver') && this.isComplete();
      // Needs no space, and so is done also where the disk is full and the map cannot be written.
      if (!isReady) await this.ports.proxy.setReady(false);
      await this.ports.proxy.writeInstances(instances);
      if (isReady) await this.ports.proxy.setReady(true);
      await this.#nameOthers();
    });
  }

  /** Pages of other releases lack their files without it, which is no reason for anything else to fail. */
  async #nameOthers(): Promise<void> {
    try {
      await this.ports.proxy.writeOthers(othersMapText(this.all(), this.active));
    } catch (error) {
      this.ports.warn(`static files of other releases may not be found: ${toSlError(error).message}`);
    }
  }

  isComplete(): boolean {
    const unstarted = this.all().filter((it) => this.unstarted.has(it.instance));
    return holdsAll(this.#servable(), this.committed, this.heard) && !isInDoubt(unstarted, this.committed, this.heard);
  }

  #servable(): InstanceJournal[] {
    return this.all().filter((it) => it.state === 'prepared' && !this.unstarted.has(it.instance));
  }

  /** Takes note of what is committed; a node that cannot serve it gets no more requests from here on. */
  async hear(epoch: number, active: ActiveMap): Promise<void> {
    if (epoch < (this.heard?.epoch ?? this.committed.epoch)) return;
    this.heard = { epoch, active };
    await this.refreshProxy();
  }

  /** The newest commit that this process knows of, whether or not the node could follow to it. */
  get newest(): Pick<CommittedMap, 'epoch' | 'active'> {
    const { heard, committed } = this;
    return heard !== undefined && heard.epoch > committed.epoch ? heard : committed;
  }

  /** Its epoch, where the node could not follow to it. */
  get heardEpoch(): number | undefined {
    const { newest, committed } = this;
    return newest === committed ? undefined : newest.epoch;
  }

  /** Throws E_STALE_EPOCH for an order of a controller that does not know the newest commit. */
  requireEpoch(epoch: number): void {
    const newest = this.newest.epoch;
    if (epoch >= newest) return;
    throw new SlError('E_STALE_EPOCH', `the order is of epoch ${epoch}; this node has seen ${newest}`, {
      details: { epoch, newest },
    });
  }
}
