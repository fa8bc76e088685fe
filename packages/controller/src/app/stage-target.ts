/** What is to be brought to a node and staged there, in whichever form it comes. */
import type { App, InstanceReport, InstanceSpec, ReplyBody } from '@silverlining/protocol';
import type { ReleaseRecord, RequestOptions, ScannedRelease } from '../ports.ts';
import { inForceOn } from './agree.ts';
import { SLOWEST } from './bulk.ts';
import type { ControllerDeps } from './deps.ts';

/** Milliseconds for receiving, unpacking and packages, beside what the health check and scripts may take. */
const STAGE_DEADLINE = 600_000;
/** An agent gives up a script of the app itself after ten minutes, and says which one. */
const SCRIPT_DEADLINE = 600_000;

/** What is to be staged, wherever it comes from: a rollout, or a node that lacks what is live. */
export interface StageTarget {
  app: App;
  instance: string;
  release: ScannedRelease;
  /** Bytes of other releases that come to the node at the same time: it reads what it has of them one after the other. */
  beside: number;
  spec: InstanceSpec;
  deploy: string;
  epoch: number;
  /** Whether the files are to be had here; otherwise one of `others`, nodes by their uuids, may have them. */
  sendable: boolean;
  others: readonly string[];
  /** Whether the nodes are on this machine: what is sent to them crosses no network, and compressing it takes longer. */
  onThisMachine: boolean;
  /** A release that the nodes should have, the closest to this one; itself where this one is gone back to. */
  base: BaseRelease | undefined;
  /** What the node says that it does, as often as it likes. */
  onProgress?: RequestOptions['onProgress'];
}

export type BaseRelease = Pick<ReleaseRecord, 'instance' | 'digest' | 'manifest'>;

export interface Sent {
  /** Bytes that were sent of each file, by its index in the manifest. */
  files: ReadonlyMap<number, number>;
  /** Bytes that went to the node, compressed unless it is on this machine. */
  wire: number;
  /** What happened on the node and when, in monotonic milliseconds of this machine. */
  times: [event: string, at: number][];
}

/** What the node last said of a release that it has. */
export function reportedOn(
  fleet: ControllerDeps['fleet'],
  node: string,
  { instance, digest }: Pick<BaseRelease, 'instance' | 'digest'>,
): InstanceReport | undefined {
  return inForceOn(fleet, node)?.instances.find((it) => it.instance === instance && it.digest === digest);
}

/** What another node lends is compressed already. */
export function takesPlain({ fleet }: ControllerDeps, { onThisMachine, sendable }: StageTarget, node: string): boolean {
  return onThisMachine && sendable && fleet.session(node)?.hello.plainArchive === true;
}

/** The node says how long each step took; none of them began before it was asked. */
export function timesOf(
  { received, unpacked, started, healthy }: ReplyBody<'stage'>['ms'],
  asked: number,
): Sent['times'] {
  const up = asked + received + unpacked + started;
  return [
    ['received', asked + received],
    ['started', up],
    ['healthy', up + healthy],
  ];
}

/** Of an order to stage, to which so many bytes are sent. */
export function limitsOf({ spec, onProgress }: StageTarget, bytes: number, signal: AbortSignal): RequestOptions {
  const scripts = [spec.packageInstallScript, spec.afterInstallScript].filter((it) => it !== undefined).length;
  const running = scripts * SCRIPT_DEADLINE + spec.health.timeout * 1000;
  return { signal, onProgress, deadline: STAGE_DEADLINE + bytes / SLOWEST + running };
}
