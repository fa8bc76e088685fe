/** What the agent's release handling needs from the node. `io/release/` implements these; tests bring their own. */
import type { Duplex } from 'node:stream';
import type { ActiveMap, ChunkLists, ErrorCode, ManifestFile } from '@silverlining/protocol';
import type { ContentStore, ReceivedImage } from './content-ports.ts';
import type { CommittedMap, InstanceJournal, TrafficBaseline } from './core/release/journal.ts';
import type { Listing } from './core/release/listing.ts';
import type { InstancePorts } from './core/release/maps.ts';
import type { ReleasePaths } from './core/release/paths.ts';
import type { TrafficTable } from './core/release/traffic.ts';
import type { UnitStatus } from './core/release/unit-status.ts';
import type { NodeView } from './ports.ts';

/** Releases on disk. */
export interface ReleaseTree {
  /**
   * Makes `releases/INSTANCE` from the store, whole or not at all, with the given extra files (name to content) in
   * its `support/`, and `/var/www/INSTANCE`. `group` may read `config/`. A release that differs little from one that is
   * there in full becomes a layer over that, at the cost of what differs; one that is not `shareable`, because a script of
   * its own adds to it, is neither layer nor below one, and shares no file with the store.
   */
  materialise(release: NewRelease): Promise<void>;
  /** What the release consists of, as it was written here: only as right as the digest of its text. */
  listing(instance: string): Promise<Listing | undefined>;
  /** Whether such a release can be a layer here, as far as that can be said before. */
  isLayer(listing: Listing): boolean;
  /** False once it turned out that images cannot be mounted here. */
  takesImages(): boolean;
  /** Whether every file and link is there with its size: after a power cut, who knows. */
  intact(instance: string): Promise<boolean>;
  /** With what it lay over, where nothing else does and `keep`, the instances that are wanted, does not have it. */
  remove(instance: string, keep: ReadonlySet<string>): Promise<void>;
  /**
   * Removes what belongs to no instance in `keep`, half-made releases included, and brings back mounts and links that are gone.
   * Returns the instances in `keep` that cannot be reached any more.
   */
  sweep(keep: ReadonlySet<string>): Promise<string[]>;
}

export interface NewRelease {
  instance: string;
  listing: Listing;
  /** Extra files of `support/`, name to content. */
  support: Record<string, string>;
  group: string;
  shareable: boolean;
  /** Contents of it that were not in the store before it came. */
  brought: number;
  /** What it came as, where that is an image of it. */
  image?: ReceivedImage | undefined;
}

/** The systemd units of instances. */
export interface InstanceUnits {
  /** Makes systemd forget units whose files are gone. */
  reload(): Promise<void>;
  install(instance: string, text: string): Promise<void>;
  start(instance: string, signal: AbortSignal): Promise<void>;
  /** Stops and, when asked to, removes units. No error for those that do not exist. */
  stop(instances: readonly string[], options: { remove: boolean }): Promise<void>;
  status(instances: readonly string[]): Promise<Map<string, UnitStatus>>;
  /** Names the run that the unit is in; undefined when it does not run, or nobody can say. Costs no process. */
  currentRun(instance: string): string | undefined;
  /** Makes exactly these start at boot. */
  enableOnly(instances: ReadonlySet<string>): Promise<void>;
  /** The newest lines that the instance wrote, oldest first, as many of them as have room in so many bytes, or in an error. */
  log(instance: string, lines: number, bytes?: number): Promise<string[]>;
  /** Instances that a unit file exists for. */
  installed(): Promise<string[]>;
}

/** Durable memory. What a promise of `put` and `write` says is on disk when it resolves. */
export interface Journals {
  all(): Promise<InstanceJournal[]>;
  put(journal: InstanceJournal): Promise<void>;
  delete(instance: string): Promise<void>;
  committed(): Promise<CommittedMap | undefined>;
  writeCommitted(committed: CommittedMap): Promise<void>;
  baseline(): Promise<TrafficBaseline | undefined>;
  writeBaseline(baseline: TrafficBaseline): Promise<void>;
  removeAll(): Promise<void>;
}

/** The maps that Apache reads, and the file that says that the node may get requests. */
export interface ProxyFiles {
  writeInstances(ports: InstancePorts): Promise<void>;
  /** The text of `othersMapText`. */
  writeOthers(text: string): Promise<void>;
  writeActive(active: ActiveMap): Promise<void>;
  setReady(ready: boolean): Promise<void>;
  removeAll(): Promise<void>;
}

/** HAProxy on this node. */
export interface BalancerPort {
  /** Writes the map durably, puts it in force in one transaction, and checks that it is. E_SWITCH otherwise. */
  apply(active: ActiveMap): Promise<void>;
  /** Whether HAProxy answers, and goes by another map. */
  differs(active: ActiveMap): Promise<boolean>;
  table(): Promise<TrafficTable>;
  /** Lets new requests wait until then, in seconds since 1970; 0 lets them go on. Nothing where it is one balancer alone. */
  hold(till: number): Promise<void>;
  /** Whether its health check finds each app server up, by name. */
  backends(): Promise<Record<string, boolean>>;
}

/** What an instance needs beside its release, by app. */
export interface AppPlaces {
  /** The app's user, made when missing. */
  ensureUser(user: string): Promise<void>;
  /** An empty TEMP of its own and the app's log folder. */
  ensureFolders(places: { temp: string; logs: string; user: string }): Promise<void>;
  writeEnv(path: string, env: Readonly<Record<string, string>>): Promise<void>;
  readEnv(path: string): Promise<Record<string, string>>;
  /** Removes the environment and TEMP of one instance. */
  remove(places: { env: string; temp: string }): Promise<void>;
  /** Removes those of instances that are not in `keep`. */
  sweep(keep: ReadonlySet<string>): Promise<void>;
  removeAll(): Promise<void>;
}

export interface HttpAnswer {
  status: number;
  /** First bytes of the body. */
  body: string;
}
export interface HttpQuestion {
  port: number;
  path: string;
  headers: Record<string, string>;
  /** Milliseconds. */
  timeout: number;
}

/** Asks instances on loopback. */
export interface AppHttp {
  /** The answer; throws E_DEADLINE when it took too long, E_APP_UNHEALTHY when nothing answered. Redirects are not followed. */
  get(question: HttpQuestion, signal: AbortSignal): Promise<HttpAnswer>;
  /** Whether nothing listens on the loopback port. */
  isFree(port: number): Promise<boolean>;
}

/** Runs a program of a release. */
export interface ScriptRunner {
  /** The argv to run for a name that may be in `bin/`, in the app's folder, or on the system; undefined when it is nowhere. */
  find(app: string, argv: readonly string[]): Promise<string[] | undefined>;
  /** Its output's last lines; throws `code` with them in `details.log` when it fails, E_DEADLINE after `timeout` ms. */
  run(script: ScriptRun, signal: AbortSignal): Promise<string[]>;
}
export interface ScriptRun {
  argv: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  /** `root` or the app's user. */
  user: string;
  timeout: number;
  code: ErrorCode;
}

export interface AgentClock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds, monotonic. */
  monotonic(): number;
  /** Ends early, with the signal's reason thrown, when it is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Runs work of the same key one after the other, in the order of the calls; other keys go on beside it. */
export type Exclusive = <T>(key: string, act: () => Promise<T>) => Promise<T>;

/** What is not on disk yet: of one instance, whose files may have been there before, or wherever somebody else wrote. */
export type Written = { app: string; instance: string; isNew: boolean } | 'anything';

export interface ReleasePorts {
  store: ContentStore;
  tree: ReleaseTree;
  units: InstanceUnits;
  journals: Journals;
  proxy: ProxyFiles;
  balancer: BalancerPort;
  places: AppPlaces;
  http: AppHttp;
  scripts: ScriptRunner;
  clock: AgentClock;
  exclusive: Exclusive;
  node: NodeView;
  paths: ReleasePaths;
  /** Whether the node booted since `noteBoot`: then nothing runs that was started before. */
  rebooted(): Promise<boolean>;
  /** What a boot asks for is done. */
  noteBoot(): Promise<void>;
  /** Brings to disk what was written for an instance: nothing else than journals, contents and maps is durable by itself. */
  sync(written: Written): Promise<void>;
  /** Installs Debian packages that are missing; E_PACKAGES with the last lines of the log. */
  installPackages(names: readonly string[], signal: AbortSignal): Promise<void>;
  /** A manifest from its text. E_MANIFEST when it is none. */
  parseListing(text: string): Listing;
  /** The manifest that a transfer brings as zstd of its JSON; E_MANIFEST when it is none. */
  readListing(transfer: Duplex, signal: AbortSignal): Promise<Listing>;
  /** What a transfer says large files consist of; E_MANIFEST when it is something else. */
  readChunkLists(transfer: Duplex, signal: AbortSignal): Promise<ChunkLists>;
  /** Sends files of a release that is in the folder, as the zstd tar stream that `receive` takes, and ends the sink. */
  sendFiles(
    files: { folder: string; files: readonly ManifestFile[]; sink: Duplex },
    signal: AbortSignal,
  ): Promise<void>;
  sha256(pieces: Iterable<string | Uint8Array>): string;
  /** Told about what went wrong where no request waits for it. */
  warn(message: string): void;
}
