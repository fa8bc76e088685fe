/** Tells a node of a release, by what it has already where that is less, and hears what it lacks. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import {
  diffManifests,
  type ErrorCode,
  type Manifest,
  type ManifestChanges,
  manifestText,
  type ReplyBody,
  type RequestBody,
  SlError,
} from '@silverlining/protocol';
import type { ScannedRelease } from '../ports.ts';
import { READS, withTransfer } from './bulk.ts';
import type { ControllerDeps } from './deps.ts';
import type { BaseRelease, StageTarget } from './stage-target.ts';

/** A manifest of more files than this travels over a bulk socket, so that control frames stay small. */
const INLINE_FILES = 500;
const DEADLINE = 60_000;

const compress = promisify(zstdCompress);
/** Compressed once per release and form, whatever the number of nodes. */
const compressed = { text: createOnce(manifestText), json: createOnce(JSON.stringify) };

type Ask = (how: Partial<RequestBody<'offer'>>) => Promise<ReplyBody<'offer'>>;

/** Offers a release; the base64 bitmap of what the node lacks, which may be empty when that is nothing. */
export async function offer(
  deps: ControllerDeps,
  target: StageTarget,
  node: string,
  signal: AbortSignal,
): Promise<string> {
  const { release, beside, instance, app, spec } = target;
  const scripted = spec.packageInstallScript !== undefined;
  const body = { instance, app: app.name, digest: release.digest, scripted };
  // A node that a release of the app was damaged on, or a transfer was cut to, reads all that it has of this one.
  const limits = { signal, deadline: DEADLINE + (release.bytes + beside) / READS };
  const ask: Ask = (how) => deps.fleet.request(node, 'offer', { ...body, ...how }, limits);
  await deps.fleet.turn();
  if (release.manifest.files.length <= INLINE_FILES) return (await ask({ manifest: release.manifest })).missing;
  const known = await offerChanges(target, ask);
  if (known !== undefined) return known.missing;
  const form = deps.fleet.session(node)?.hello.manifestText === true ? 'text' : 'json';
  const bytes = await compressed[form](release);
  const reply = await withTransfer(deps, node, limits, {
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
export function changesFrom(base: BaseRelease, release: ScannedRelease): ManifestChanges {
  const known = compared.get(release);
  if (known?.base === base.digest) return known.changes;
  const changes = diffManifests(base.manifest, release.manifest);
  compared.set(release, { base: base.digest, changes });
  return changes;
}

function createOnce(write: (manifest: Manifest) => string): (release: ScannedRelease) => Promise<Buffer> {
  const known = new WeakMap<ScannedRelease, Promise<Buffer>>();
  return (release) => {
    const bytes = known.get(release) ?? compress(Buffer.from(write(release.manifest)));
    known.set(release, bytes);
    return bytes;
  };
}
