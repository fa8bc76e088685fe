/** Brings a release onto one node and has it staged: offer, stream what is missing, wait until it is healthy. */
import type { Duplex } from 'node:stream';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import { decodeBitmap, type InstanceSpec, SlError } from '@silverlining/protocol';
import type { ScannedRelease } from '../ports.ts';
import type { ControllerDeps } from './deps.ts';
import type { RolloutItem } from './rollout.ts';
import type { RolloutContext } from './rollout-effects.ts';
import { deployId } from './rollout-record.ts';

/** A manifest of more files than this travels over a bulk socket, so that control frames stay small. */
const INLINE_FILES = 500;
const TRANSFER_OPEN = 15_000;
const OFFER_DEADLINE = 60_000;
/** Milliseconds for receiving, unpacking and packages, beside what the health check may take. */
const STAGE_DEADLINE = 600_000;

const compress = promisify(zstdCompress);
const manifests = new WeakMap<ScannedRelease, Promise<Buffer>>();

export async function stageOnNode(
  context: RolloutContext,
  item: RolloutItem,
  node: string,
  signal: AbortSignal,
): Promise<void> {
  const { deps, op, measured, input } = context;
  const missing = await offer(
    deps,
    { release: item.release, instance: item.instance, app: item.app.name },
    node,
    signal,
  );
  const sent = noteMissing(context, item, missing);
  if (sent > 0 && !item.local) {
    throw new SlError(
      'E_NOT_FOUND',
      `${sent} files of ${item.instance} are no longer on the node and cannot be sent again`,
    );
  }
  const request = {
    instance: item.instance,
    deploy: deployId(op.operationId, item.app.name),
    epoch: input.set.epoch,
    spec: item.spec,
  };
  if (sent === 0) return void (await stage(deps, node, request, signal));
  const packed = deps.source.pack(item.app, item.release, missing);
  await withTransfer(deps, node, signal, {
    request: (transfer) => stage(deps, node, { ...request, transfer }, signal),
    send: (socket) => pipeline(packed.open(signal), socket, { signal }),
  });
  const bytes = await packed.compressed();
  measured.wire.set(item.app.name, (measured.wire.get(item.app.name) ?? 0) + bytes);
}

/** Offers a release; the base64 bitmap of what the node lacks. */
export async function offer(
  deps: ControllerDeps,
  { release, instance, app }: { release: ScannedRelease; instance: string; app: string },
  node: string,
  signal: AbortSignal,
): Promise<string> {
  const body = { instance, app, digest: release.digest };
  const ask = (more: object) =>
    deps.fleet.request(node, 'offer', { ...body, ...more }, { signal, deadline: OFFER_DEADLINE });
  if (release.manifest.files.length <= INLINE_FILES) return (await ask({ manifest: release.manifest })).missing;
  const bytes = await manifestBytes(release);
  const reply = await withTransfer(deps, node, signal, {
    request: (transfer) => ask({ transfer }),
    send: (socket) => pipeline(Readable.from([bytes]), socket, { signal }),
  });
  return reply.missing;
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
async function withTransfer<R>(
  deps: ControllerDeps,
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

/** Adds the files of a bitmap to what was sent; the number of files in it. */
function noteMissing({ measured }: RolloutContext, item: RolloutItem, missing: string): number {
  const lacking = decodeBitmap(missing, item.release.manifest.files.length);
  const all = measured.sentFiles.get(item.app.name) ?? new Set<number>();
  measured.sentFiles.set(item.app.name, all);
  for (const index of lacking) all.add(index);
  return lacking.length;
}
