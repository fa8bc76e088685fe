/** A release of which a node has nothing comes as an image, laid out once for all nodes: what it is made of costs them nothing by the file. */
import { CHUNKED_FROM, type ImageOffer, type ImageWish } from '@silverlining/protocol';
import { BLOCK, blobKey, MAX_SIZE } from '@silverlining/system';
import type { ScannedRelease } from '../ports.ts';
import { READS, SLOWEST, sendPacked } from './bulk.ts';
import type { ControllerDeps } from './deps.ts';
import { changesFrom } from './rollout-offer.ts';
import { limitsOf, reportedOn, type Sent, type StageTarget, takesPlain, timesOf } from './stage-target.ts';

/** Of fewer files, each costs no more by itself. */
const FEWEST_FILES = 256;
/** Of large contents nodes keep files, since chunks of them may be wanted again. */
const MOST_LARGE = 1 / 4;
/** Where less of a release differs, what a node lacks is little. */
const LEAST_CHANGED = 1 / 4;
/** Contents that a node is asked about. */
const SAMPLE = 16;
/** Bytes of an inode, a name, and a line of the manifest. */
const ABOUT_A_FILE = 256;
const DEADLINE = 60_000;

/** How the image has to be made; undefined where the node had better hear of all files, as it may have some. */
export async function offerImage(
  deps: ControllerDeps,
  target: StageTarget,
  node: string,
  signal: AbortSignal,
): Promise<ImageWish | undefined> {
  const { instance, app, release, spec } = target;
  const session = deps.fleet.session(node);
  if (!target.sendable || spec.packageInstallScript !== undefined || session?.hello.releaseImages !== true) return;
  // First, as it is known of most deploys, in which little changes.
  if (hasMost(deps, target, node)) return;
  const form = formOf(release);
  if (!form.isWorthIt) return;
  await deps.fleet.turn();
  const { files, bytes, sample } = form;
  const image: ImageOffer = { platform: spec.platform, files, bytes, sample };
  const limits = { signal, deadline: DEADLINE + release.bytes / READS };
  const answer = await deps.fleet.request(
    node,
    'offer',
    { instance, app: app.name, digest: release.digest, image },
    limits,
  );
  return answer.image;
}

/** Brings the image, and has it staged when all of it came. */
export async function bringImage(
  deps: ControllerDeps,
  { target, node, wish }: { target: StageTarget; node: string; wish: ImageWish },
  signal: AbortSignal,
): Promise<Sent> {
  const { app, instance, release, spec, deploy, epoch } = target;
  const plain = takesPlain(deps, target, node);
  const packed = deps.source.image(app, release, { ...wish, plain });
  try {
    const { index, bytes, manifest } = packed;
    const limits = { signal, onProgress: target.onProgress, deadline: DEADLINE + (index + bytes) / SLOWEST };
    const form = { ...(plain ? { plain } : {}), index, bytes, manifest };
    const { wire } = await sendPacked(deps, node, limits, {
      packed,
      request: (transfer) => deps.fleet.request(node, 'image', { instance, transfer, ...form }, limits),
    });
    const asked = deps.clock.monotonic();
    const order = { instance, deploy, epoch, spec, image: await packed.sha256() };
    const { ms } = await deps.fleet.request(node, 'stage', order, limitsOf(target, 0, signal));
    return { files: formOf(release).contents, wire, times: timesOf({ ...ms, received: 0 }, asked) };
  } finally {
    await packed.close();
  }
}

/** Whether the node has most of the release, as far as is known here. */
function hasMost({ fleet }: ControllerDeps, { release, base }: StageTarget, node: string): boolean {
  if (base === undefined) return false;
  if (reportedOn(fleet, node, base) === undefined) return false;
  return changesFrom(base, release).files.length <= release.manifest.files.length * LEAST_CHANGED;
}

interface Form extends Omit<ImageOffer, 'platform'> {
  isWorthIt: boolean;
  /** Bytes of each content that is in the image, by the index of the first file that has it. */
  contents: ReadonlyMap<number, number>;
}

const forms = new WeakMap<ScannedRelease, Form>();

/** Found out once per release, whatever the number of nodes. */
function formOf(release: ScannedRelease): Form {
  const form = forms.get(release) ?? makeForm(release);
  forms.set(release, form);
  return form;
}

function makeForm({ manifest, bytes }: ScannedRelease): Form {
  const { files } = manifest;
  const firsts = new Map<string, number>();
  for (const [index, file] of files.entries()) if (!firsts.has(blobKey(file))) firsts.set(blobKey(file), index);
  const contents = new Map([...firsts.values()].map((index) => [index, files[index]?.size ?? 0]));
  const large = [...contents.values()].filter((size) => size >= CHUNKED_FROM).reduce((sum, size) => sum + size, 0);
  const blocks = [...contents.values()].reduce((sum, size) => sum + Math.ceil(size / BLOCK), 0);
  const keys = [...firsts.keys()];
  const step = Math.max(keys.length / SAMPLE, 1);
  const sample = Array.from(
    { length: Math.min(SAMPLE, keys.length) },
    (_, i) => keys[Math.floor((i + 0.5) * step)] ?? '',
  );
  return {
    isWorthIt:
      files.length >= FEWEST_FILES && large <= bytes * MOST_LARGE && files.every(({ size }) => size <= MAX_SIZE),
    files: files.length,
    bytes: blocks * BLOCK + files.length * ABOUT_A_FILE,
    sample,
    contents,
  };
}
