import { Readable } from 'node:stream';
import { type InstanceSpec, type RequestBody, SlError } from '@silverlining/protocol';
import type { Listing } from '../../core/release/listing.ts';
import type { RequestContext } from '../../ports.ts';
import type { NewRelease } from '../../release-ports.ts';
import { openImage } from './image.ts';
import type { Offer, OfferedFiles, ReleaseState } from './state.ts';

type Order = RequestBody<'stage'>;

export type Brought = Pick<NewRelease, 'listing' | 'brought' | 'image'> & {
  /** Whether nothing of it was taken for granted. */
  isWhole: boolean;
};

/** Has the contents of the release here. */
export async function bringFiles(
  state: ReleaseState,
  body: Order,
  offer: Offer,
  context: RequestContext,
): Promise<Brought> {
  const { files } = offer;
  if (files === undefined) {
    const { listing, image } = openImage(state, body, offer);
    checkRunner(body.spec, listing);
    return { listing, image, brought: listing.fileCount, isWhole: true };
  }
  const { listing, missing, doubtful } = files;
  checkRunner(body.spec, listing);
  await receive(state, body, files, context);
  return { listing, brought: missing.length, isWhole: doubtful.length === listing.fileCount };
}

function checkRunner(spec: InstanceSpec, listing: Listing): void {
  const file = spec.runner?.split('#')[0];
  const wanted = `app/${file}`;
  if (file === undefined || listing.find(wanted) !== undefined) return;
  throw new SlError('E_APP_CONFIG', `runner ${JSON.stringify(file)} is not a file of the release`);
}

/** Takes in the contents that the node lacks. E_MANIFEST when they are not sent. */
async function receive(state: ReleaseState, body: Order, offer: OfferedFiles, context: RequestContext): Promise<void> {
  const lacking = state.ports.store.lacking(offer.doubtful);
  if (lacking.length === 0) return;
  // What was asked for comes, whoever else brought it meanwhile. What went meanwhile does not come, and the archive lacks it.
  const missing = [...new Set([...offer.missing, ...lacking])];
  context.progress({ stage: 'receive', text: `receiving ${missing.length} files`, total: missing.length });
  const archive = await openArchive(body, context);
  if (archive === undefined) {
    throw new SlError(
      'E_MANIFEST',
      `${body.instance}: ${lacking.length} files are missing and none are sent; offer it again`,
    );
  }
  try {
    const { listing, assemblies } = offer;
    const files = { listing, missing, assemblies, plain: body.plain === true };
    await state.ports.store.receive(archive, files, context.signal);
  } finally {
    archive.destroy();
  }
}

/** What the order brings itself, or where it says that more is to be had. */
async function openArchive({ archive, transfer }: Order, context: RequestContext): Promise<Readable | undefined> {
  if (archive !== undefined) return Readable.from([Buffer.from(archive, 'base64')]);
  return transfer === undefined ? undefined : context.openTransfer(transfer);
}
