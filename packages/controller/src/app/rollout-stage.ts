/** Brings a release onto one node and has it staged: offer, stream what is missing, wait until it is healthy. */
import {
  decodeBitmap,
  type ErrorCode,
  INLINE_ARCHIVE,
  type ReplyBody,
  type RequestBody,
  SlError,
} from '@silverlining/protocol';
import { partBytes } from '../core/release/file-part.ts';
import type { FilePart, PackedRelease, RequestOptions, ScannedRelease } from '../ports.ts';
import type { OperationContext } from '../service.ts';
import { sendPacked } from './bulk.ts';
import type { ControllerDeps } from './deps.ts';
import { missingParts } from './rollout-chunks.ts';
import { bringImage, offerImage } from './rollout-image.ts';
import { borrow } from './rollout-lend.ts';
import { offer } from './rollout-offer.ts';
import { limitsOf, type Sent, type StageTarget, takesPlain, timesOf } from './stage-target.ts';

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
  const wish = await offerImage(deps, target, node, signal);
  const missing = wish === undefined ? await offer(deps, target, node, signal) : '';
  try {
    if (wish !== undefined) return await bringImage(deps, { target, node, wish }, signal);
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
  const request = { instance, deploy, epoch, spec };
  if (files.length === 0) {
    const asked = deps.clock.monotonic();
    const { ms } = await deps.fleet.request(node, 'stage', request, limitsOf(target, 0, signal));
    return { files: new Map(), wire: 0, times: timesOf(ms, asked).slice(1) };
  }
  const parts = isAgain || !target.sendable ? [] : await missingParts(deps, { target, node, missing }, signal);
  const sent = bytesSent(release, files, parts);
  const bytes = [...sent.values()].reduce((sum, it) => sum + it, 0);
  const plain = bytes > INLINE_ARCHIVE && takesPlain(deps, target, node);
  const packed = target.sendable
    ? deps.source.pack(app, release, { missing, parts, isAgain, plain })
    : await borrow(deps, { target, node, missing }, signal);
  if (packed === undefined) throw new NotWhole(target, files.length);
  const asked = deps.clock.monotonic();
  try {
    const { ms, wire } = await send(
      deps,
      { node, packed, target, request: plain ? { ...request, plain } : request },
      signal,
    );
    return { files: sent, wire, times: timesOf(ms, asked) };
  } finally {
    await packed.close();
  }
}

interface Sending {
  node: string;
  target: StageTarget;
  packed: PackedRelease;
  request: Omit<RequestBody<'stage'>, 'archive' | 'transfer'>;
}

/** With the order, where it is little and the agent takes that; over a bulk socket of its own otherwise. */
async function send(
  deps: ControllerDeps,
  { node, packed, target, request }: Sending,
  signal: AbortSignal,
): Promise<Pick<ReplyBody<'stage'>, 'ms'> & { wire: number }> {
  const limits = limitsOf(target, packed.bytes, signal);
  // Whatever an agent says that it takes: what goes with an order is held in memory.
  const limit = Math.min(deps.fleet.session(node)?.hello.inlineArchive ?? 0, INLINE_ARCHIVE);
  const archive = packed.bytes <= limit ? await packed.base64() : undefined;
  if (archive !== undefined && archive.length <= limit) {
    await deps.fleet.turn();
    const { ms } = await deps.fleet.request(node, 'stage', { ...request, archive }, limits);
    return { ms, wire: Buffer.byteLength(archive, 'base64') };
  }
  const { reply, wire } = await sendPacked(deps, node, limits, {
    packed,
    request: (transfer) => deps.fleet.request(node, 'stage', { ...request, transfer }, limits),
  });
  return { ms: reply.ms, wire };
}

/** The node lacks files of a release that are not to be had here any more. */
export class NotWhole extends SlError {
  constructor({ instance, release, app }: StageTarget, gone: number) {
    super(
      'E_NOT_FOUND',
      `${instance} is not whole on this node, which lacks ${gone} of its ${release.manifest.files.length} files, and no other node can lend them; the app's folder may hold something else by now: choose another release, or deploy ${app.name} again`,
    );
  }
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

/** Shows what a node says while it stages. Of counters the newest is kept, whatever a node has to say; this one counts nothing. */
export function sayProgress(op: OperationContext, where: { node: string; app: string }): RequestOptions['onProgress'] {
  return ({ text }) => op.emit({ status: 'running', action: 'stage', ...where, text, done: 0, total: 0 });
}
