/** Brings a release onto one node and has it staged: offer, stream what is missing, wait until it is healthy. */
import type { Duplex } from 'node:stream';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import {
  type App,
  decodeBitmap,
  diffManifests,
  type ErrorCode,
  type InstanceSpec,
  type ManifestChanges,
  type ReplyBody,
  type RequestBody,
  SlError,
} from '@silverlining/protocol';
import type { ReleaseRecord, ScannedRelease } from '../ports.ts';
import type { ControllerDeps } from './deps.ts';

/** A manifest of more files than this travels over a bulk socket, so that control frames stay small. */
const INLINE_FILES = 500;
const TRANSFER_OPEN = 15_000;
const OFFER_DEADLINE = 60_000;
/** Milliseconds for receiving, unpacking and packages, beside what the health check may take. */
const STAGE_DEADLINE = 600_000;

const compress = promisify(zstdCompress);
const manifests = new WeakMap<ScannedRelease, Promise<Buffer>>();

/** What is to be staged, wherever it comes from: a rollout, or a node that lacks what is live. */
export interface StageTarget {
  app: App;
  instance: string;
  release: ScannedRelease;
  spec: InstanceSpec;
  deploy: string;
  epoch: number;
  /** Whether the files are to be had here; otherwise the node has to have them all. */
  sendable: boolean;
  /** A release that the nodes should have, the closest to this one; itself where this one is gone back to. */
  base: BaseRelease | undefined;
}

export type BaseRelease = Pick<ReleaseRecord, 'instance' | 'digest' | 'manifest'>;

export interface Sent {
  /** Indexes into the manifest's files. */
  files: number[];
  /** Compressed bytes. */
  wire: number;
  /** What happened on the node and when, in monotonic milliseconds of this machine. */
  times: [event: string, at: number][];
}

/** Resolves when the node has it staged: durable there, started and healthy. */
export async function stageOnNode(
  deps: ControllerDeps,
  target: StageTarget,
  node: string,
  signal: AbortSignal,
): Promise<Sent> {
  const { app, instance, release, spec, deploy, epoch } = target;
  const missing = await offer(deps, target, node, signal);
  const files = missing === '' ? [] : decodeBitmap(missing, release.manifest.files.length);
  if (files.length > 0 && !target.sendable) {
    throw new SlError(
      'E_NOT_FOUND',
      `${instance} is no longer whole on this node, ${files.length} of its ${release.manifest.files.length} files are gone, and the app's folder may hold something else by now: choose a release that is on all nodes (sl status), or deploy ${app.name} again`,
    );
  }
  const request = { instance, deploy, epoch, spec };
  if (files.length === 0) {
    const asked = deps.clock.monotonic();
    const { ms } = await stage(deps, node, request, signal);
    return { files, wire: 0, times: timesOf(ms, asked).slice(1) };
  }
  const asked = deps.clock.monotonic();
  const packed = deps.source.pack(app, release, missing);
  const { ms } = await withTransfer(deps, node, signal, {
    request: (transfer) => stage(deps, node, { ...request, transfer }, signal),
    send: (socket) => pipeline(packed.open(signal), socket, { signal }),
  });
  return { files, wire: await packed.compressed(), times: timesOf(ms, asked) };
}

/** The node says how long each step took; none of them began before it was asked. */
function timesOf({ received, unpacked, started, healthy }: ReplyBody<'stage'>['ms'], asked: number): Sent['times'] {
  const up = asked + received + unpacked + started;
  return [
    ['received', asked + received],
    ['started', up],
    ['healthy', up + healthy],
  ];
}

type Ask = (how: Partial<RequestBody<'offer'>>) => Promise<ReplyBody<'offer'>>;

/** Offers a release; the base64 bitmap of what the node lacks, which may be empty when that is nothing. */
async function offer(deps: ControllerDeps, target: StageTarget, node: string, signal: AbortSignal): Promise<string> {
  const { release, instance, app } = target;
  const body = { instance, app: app.name, digest: release.digest };
  const ask: Ask = (how) =>
    deps.fleet.request(node, 'offer', { ...body, ...how }, { signal, deadline: OFFER_DEADLINE });
  if (release.manifest.files.length <= INLINE_FILES) return (await ask({ manifest: release.manifest })).missing;
  const known = await offerChanges(target, ask);
  if (known !== undefined) return known.missing;
  const bytes = await manifestBytes(release);
  const reply = await withTransfer(deps, node, signal, {
    request: (transfer) => ask({ transfer }),
    send: (socket) => pipeline(Readable.from([bytes]), socket, { signal }),
  });
  return reply.missing;
}

/** Says how the release differs from one that the node should have; undefined when the node needs all of it. */
async function offerChanges({ release, base }: StageTarget, ask: Ask): Promise<ReplyBody<'offer'> | undefined> {
  if (base === undefined) return undefined;
  const changes = changesFrom(base, release);
  if (changes.files.length + changes.links.length + changes.removed.length > INLINE_FILES) return undefined;
  try {
    return await ask({ base: { instance: base.instance, digest: base.digest }, changes });
  } catch (error) {
    if (error instanceof SlError && NEEDS_ALL.has(error.code)) return undefined;
    throw error;
  }
}

/** The base is not there, is not what it should be, or the agent is one that does not know bases. */
const NEEDS_ALL: ReadonlySet<ErrorCode> = new Set(['E_NOT_FOUND', 'E_MANIFEST', 'E_FRAME']);

const compared = new WeakMap<ScannedRelease, { base: string; changes: ManifestChanges }>();

/** Compared once per release, whatever the number of nodes. */
function changesFrom(base: BaseRelease, release: ScannedRelease): ManifestChanges {
  const known = compared.get(release);
  if (known?.base === base.digest) return known.changes;
  const changes = diffManifests(base.manifest, release.manifest);
  compared.set(release, { base: base.digest, changes });
  return changes;
}

interface StageRequest {
  instance: string;
  deploy: string;
  epoch: number;
  spec: InstanceSpec;
  transfer?: string;
}

function stage(deps: ControllerDeps, node: string, body: StageRequest, signal: AbortSignal) {
  const deadline = STAGE_DEADLINE + body.spec.health.timeout * 1000;
  return deps.fleet.request(node, 'stage', body, { signal, deadline });
}

/**
 * Makes a request that names a bulk socket and feeds the socket once the agent opened it. What the agent answers is the
 * outcome, unless what was to be sent could not be read: then the agent only saw the echo of that.
 */
export async function withTransfer<R>(
  deps: Pick<ControllerDeps, 'fleet'>,
  node: string,
  signal: AbortSignal,
  work: { request: (transfer: string) => Promise<R>; send: (socket: Duplex) => Promise<void> },
): Promise<R> {
  const transfer = deps.fleet.transfer(node, { signal, deadline: TRANSFER_OPEN });
  const [sent, answered] = await Promise.allSettled([
    transfer.socket.then(work.send),
    work.request(transfer.id).finally(() => transfer.close()),
  ]);
  if (answered.status === 'fulfilled') return answered.value;
  const unreadable =
    sent.status === 'rejected' && sent.reason instanceof SlError && sent.reason.code === 'E_APP_CONFIG';
  throw unreadable ? sent.reason : answered.reason;
}

/** Compressed once per release, whatever the number of nodes. */
function manifestBytes(release: ScannedRelease): Promise<Buffer> {
  const known = manifests.get(release) ?? compress(Buffer.from(JSON.stringify(release.manifest)));
  manifests.set(release, known);
  return known;
}
