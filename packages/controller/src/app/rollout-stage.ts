/** Brings a release onto one node and has it staged: offer, stream what is missing, wait until it is healthy. */
import { PassThrough, Readable, type Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
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
import { partBytes } from '../core/release/file-part.ts';
import type { FilePart, ReleaseRecord, ScannedRelease } from '../ports.ts';
import { withTransfer } from './bulk.ts';
import type { ControllerDeps } from './deps.ts';
import { missingParts } from './rollout-chunks.ts';

/** A manifest of more files than this travels over a bulk socket, so that control frames stay small. */
const INLINE_FILES = 500;
const OFFER_DEADLINE = 60_000;
/** Milliseconds for receiving, unpacking and packages, beside what the health check may take. */
const STAGE_DEADLINE = 600_000;
/** Bytes a millisecond of the slowest link that is waited for: about a megabit a second. */
const SLOWEST = 128;

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
  /** Bytes that were sent of each file, by its index in the manifest. */
  files: ReadonlyMap<number, number>;
  /** Compressed bytes that went to the node. */
  wire: number;
  /** What happened on the node and when, in monotonic milliseconds of this machine. */
  times: [event: string, at: number][];
}

/**
 * Resolves when the node has it staged: durable there, started and healthy. What arrives damaged is sent once more: memory and
 * disks fail on either side, and what they do once they need not do twice. Whatever came whole the first time stays there.
 */
export async function stageOnNode(
  deps: ControllerDeps,
  target: StageTarget,
  node: string,
  signal: AbortSignal,
): Promise<Sent> {
  const missing = await offer(deps, target, node, signal);
  try {
    return await bring(deps, { target, node, missing, isAgain: false }, signal);
  } catch (error) {
    if (!isDamaged(error)) throw error;
    deps.log.warn({ node, instance: target.instance, error: error.message }, 'what was sent came damaged: once more');
    const from = deps.clock.monotonic();
    const rest = await offer(deps, target, node, signal);
    const sent = await bring(deps, { target, node, missing: rest, isAgain: true }, signal).catch((again: unknown) => {
      throw isDamaged(again) ? damagedTwice(again) : again;
    });
    return { ...sent, times: [['sent again', from], ...sent.times] };
  }
}

const DAMAGED: ReadonlySet<ErrorCode> = new Set(['E_MANIFEST', 'E_TAR_ENTRY', 'E_TAR_TRUNCATED', 'E_TAR_TOO_LARGE']);

function isDamaged(error: unknown): error is SlError {
  return error instanceof SlError && DAMAGED.has(error.code);
}

function damagedTwice(cause: SlError): SlError {
  const text = `${cause.message}, twice: the memory or a disk of this machine or of the node may be failing`;
  return new SlError(cause.code, text, { cause, details: cause.details });
}

interface Bringing {
  target: StageTarget;
  node: string;
  /** What it lacks, as it said. */
  missing: string;
  /** Then all of every missing file comes, packed anew: nothing that may have been damaged is used again. */
  isAgain: boolean;
}

async function bring(deps: ControllerDeps, bringing: Bringing, signal: AbortSignal): Promise<Sent> {
  const { target, node, missing, isAgain } = bringing;
  const { app, instance, release, spec, deploy, epoch } = target;
  const files = missing === '' ? [] : decodeBitmap(missing, release.manifest.files.length);
  if (files.length > 0 && !target.sendable) throw notWhole(target, files.length);
  const request = { instance, deploy, epoch, spec };
  if (files.length === 0) {
    const asked = deps.clock.monotonic();
    const { ms } = await stage(deps, node, request, { signal, bytes: 0 });
    return { files: new Map(), wire: 0, times: timesOf(ms, asked).slice(1) };
  }
  const parts = isAgain ? [] : await missingParts(deps, { target, node, missing }, signal);
  const packed = deps.source.pack(app, release, { missing, parts, isAgain });
  const asked = deps.clock.monotonic();
  try {
    let wire = 0;
    const send = (sink: Writable) =>
      packed.send(sink, signal, (bytes) => {
        wire += bytes;
      });
    const ask = (how: Pick<StageRequest, 'transfer' | 'archive'>) =>
      stage(deps, node, { ...request, ...how }, { signal, bytes: packed.bytes });
    const isInline = packed.bytes <= (deps.fleet.session(node)?.hello.inlineArchive ?? 0);
    const { ms } = isInline
      ? await ask({ archive: await collected(deps, send) })
      : await withTransfer(deps, node, signal, { request: (transfer) => ask({ transfer }), send });
    return { files: bytesSent(release, files, parts), wire, times: timesOf(ms, asked) };
  } finally {
    await packed.close();
  }
}

/** In base64, what is written to a sink; made when it is its turn, as thousands of nodes may get it. */
async function collected({ fleet }: ControllerDeps, send: (sink: Writable) => Promise<void>): Promise<string> {
  await fleet.turn();
  const sink = new PassThrough();
  const [all] = await Promise.all([buffer(sink), send(sink)]);
  return all.toString('base64');
}

function notWhole({ instance, release, app }: StageTarget, gone: number): SlError {
  const all = release.manifest.files.length;
  return new SlError(
    'E_NOT_FOUND',
    `${instance} is no longer whole on this node, ${gone} of its ${all} files are gone, and the app's folder may hold something else by now: choose a release that is on all nodes (sl status), or deploy ${app.name} again`,
  );
}

function bytesSent(
  { manifest }: ScannedRelease,
  files: readonly number[],
  parts: readonly FilePart[],
): Map<number, number> {
  const ofPart = new Map(parts.map((part) => [part.file, partBytes(part)]));
  return new Map(
    files.map((index) => {
      const file = manifest.files[index];
      return [index, file === undefined ? 0 : (ofPart.get(file) ?? file.size)];
    }),
  );
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
  await deps.fleet.turn();
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
  archive?: string;
}

function stage(
  deps: ControllerDeps,
  node: string,
  body: StageRequest,
  { signal, bytes }: { signal: AbortSignal; bytes: number },
) {
  const deadline = STAGE_DEADLINE + bytes / SLOWEST + body.spec.health.timeout * 1000;
  return deps.fleet.request(node, 'stage', body, { signal, deadline });
}

/** Compressed once per release, whatever the number of nodes. */
function manifestBytes(release: ScannedRelease): Promise<Buffer> {
  const known = manifests.get(release) ?? compress(Buffer.from(JSON.stringify(release.manifest)));
  manifests.set(release, known);
  return known;
}
