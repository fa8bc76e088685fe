/** Releases that come as images: for a node that has nothing of a release, it is laid out once, by the controller. */
import { type ImageOffer, type ReplyBody, type RequestBody, SlError } from '@silverlining/protocol';
import type { ReceivedImage } from '../../content-ports.ts';
import type { Listing } from '../../core/release/listing.ts';
import { supportFiles } from '../../core/release/python-wrapper.ts';
import { checkImageSpace } from '../../core/release/space.ts';
import type { Handlers, RequestContext } from '../../ports.ts';
import { makeRoom } from './remove.ts';
import type { Offer, ReleaseState } from './state.ts';

/** So much of a release may come although it is here: an app's own configuration often stays when all else is new. */
const MOST_HERE = 1 / 32;

/** Says how the image has to be made, if one would do: an answer without that asks for an offer of all files. */
export async function offerImage(
  state: ReleaseState,
  { instance, app, digest, scripted }: RequestBody<'offer'>,
  image: ImageOffer,
): Promise<ReplyBody<'offer'>> {
  const { store, tree } = state.ports;
  const free = await store.space();
  const isKnown = state.journals.has(instance) || state.hasDamage(app);
  const isNew = !isKnown && store.mayHave(image.sample) <= image.sample.length * MOST_HERE;
  if (!isNew || scripted === true || !tree.takesImages()) return { missing: '', free: free.bytes };
  if (!instance.startsWith(`${app}.`))
    throw new SlError('E_MANIFEST', `a release of ${app} is offered for ${instance}`);
  await makeRoom(state, free, (space) => checkImageSpace(image, space));
  state.addOffer(instance, { app, digest, files: undefined });
  return { missing: '', free: free.bytes, image: { support: supportFiles(image.platform) } };
}

/** Takes in the image of an offer. Nothing of it is used before the order to stage it says its digest. */
export function createImage(state: ReleaseState): Handlers['image'] {
  return async (body, context) => {
    const offer = state.offers.get(body.instance);
    if (offer === undefined || offer.files !== undefined) throw notOffered(body.instance);
    state.imagesComing++;
    try {
      offer.image = await receive(state, body, context);
    } finally {
      state.imagesComing--;
    }
    return {};
  };
}

async function receive(
  state: ReleaseState,
  { instance, transfer: id, plain, ...form }: RequestBody<'image'>,
  context: RequestContext,
): Promise<ReceivedImage> {
  const text = `receiving ${instance} as an image`;
  context.progress({ stage: 'receive', text });
  const transfer = await context.openTransfer(id);
  try {
    return await state.ports.store.receiveImage(transfer, { ...form, plain: plain === true }, context.signal);
  } finally {
    transfer.destroy();
  }
}

/** What is in the image of the offer, when it is what the order says. E_MANIFEST when it is not. */
export function openImage(
  state: ReleaseState,
  { instance, image }: RequestBody<'stage'>,
  offer: Offer,
): { listing: Listing; image: ReceivedImage } {
  const received = offer.image;
  if (received === undefined || image === undefined) throw notOffered(instance);
  if (received.sha256 !== image) throw new SlError('E_MANIFEST', `the image of ${instance} came damaged`);
  const listing = state.ports.parseListing(received.manifestText());
  const digest = state.ports.sha256(listing.pieces());
  if (digest !== offer.digest || listing.app !== offer.app) {
    const why = `its manifest is ${digest} of ${listing.app}, and ${offer.digest} of ${offer.app} was offered`;
    throw new SlError('E_MANIFEST', `the image of ${instance} is of another release: ${why}`);
  }
  return { listing, image: received };
}

function notOffered(instance: string): SlError {
  return new SlError('E_NOT_FOUND', `no image of ${instance} was offered to this node; offer it again`);
}
