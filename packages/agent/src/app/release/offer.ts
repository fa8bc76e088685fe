import type { RequestBody } from '@silverlining/protocol';
import { checkManifest, type ManifestChanges, SlError } from '@silverlining/protocol';
import { Listing } from '../../core/release/listing.ts';
import { checkSpace, type NewFiles } from '../../core/release/space.ts';
import type { Handlers, RequestContext } from '../../ports.ts';
import { offerImage } from './image.ts';
import { makeRoom } from './remove.ts';
import type { ReleaseState } from './state.ts';

/** Takes in a manifest, and says which contents the node lacks. */
export function createOffer(state: ReleaseState): Handlers['offer'] {
  return async (body, context) => {
    if (body.image !== undefined) return offerImage(state, body, body.image);
    const free = await state.ports.store.space();
    if (isHere(state, body)) return { missing: '', free: free.bytes };
    const listing = await listingOf(state, body, context);
    checkOffer(state, body, listing);
    const isDamaged = state.hasDamage(body.app);
    // All else is of the base, which is here.
    const changes = state.doubted.has(body.app) || isDamaged ? undefined : body.changes;
    const doubtful = (changes ?? listing.manifest()).files;
    // What an interrupted transfer left need not come again.
    const left = await state.ports.store.salvage(doubtful, context.signal);
    if (isDamaged) await state.ports.store.verify(doubtful, context.signal);
    // The offer of a deploy that was given up must not take the place of the next one's.
    context.signal.throwIfAborted();
    const missing = state.ports.store.lacking(doubtful);
    // Before it is known to fit: what is removed to make room is none of its contents.
    const files = { listing, doubtful, missing, assemblies: new Map() };
    state.addOffer(body.instance, { app: body.app, digest: body.digest, files });
    const { tree } = state.ports;
    const form = { isLayer: tree.isLayer(listing), takesImages: tree.takesImages() };
    const release: NewFiles = { listing, missing, isCopied: body.scripted === true, ...form };
    try {
      await makeRoom(state, free, (space) => checkSpace(release, { ...space, bytes: space.bytes + left }));
    } catch (error) {
      state.offers.delete(body.instance);
      throw error;
    }
    return { missing: listing.bitmap(new Set(missing.map((file) => file.path))), free: free.bytes };
  };
}

/** A release that is its own base: going back to it needs nothing but that it is here. */
function isHere(state: ReleaseState, { instance, digest, base }: RequestBody<'offer'>): boolean {
  if (base?.instance !== instance || base.digest !== digest) return false;
  const known = state.journals.get(instance);
  if (known !== undefined && known.state !== 'failed' && known.digest === digest) return true;
  throw new SlError('E_NOT_FOUND', `${instance} is not on this node, or damaged`);
}

async function listingOf(state: ReleaseState, body: RequestBody<'offer'>, context: RequestContext): Promise<Listing> {
  if (body.manifest !== undefined) {
    checkManifest(body.manifest);
    return Listing.of(body.manifest);
  }
  if (body.base !== undefined && body.changes !== undefined) return changed(state, body.base, body.changes);
  if (body.transfer === undefined) throw new SlError('E_FRAME', 'offer: neither a manifest nor a transfer is given');
  const transfer = await context.openTransfer(body.transfer);
  try {
    return await state.ports.readListing(transfer, context.signal);
  } finally {
    transfer.destroy();
  }
}

/** What comes out is checked against its digest like any other manifest. */
async function changed(
  state: ReleaseState,
  base: { instance: string; digest: string },
  changes: ManifestChanges,
): Promise<Listing> {
  const journal = state.journals.get(base.instance);
  const isHere = journal?.digest === base.digest && journal.state !== 'failed';
  const known = isHere ? await state.ports.tree.listing(base.instance) : undefined;
  if (known === undefined) throw new SlError('E_NOT_FOUND', `${base.instance} is not on this node as it is described`);
  const made = known.with(changes);
  // Rules about paths hold as before where the paths are those that were there.
  const isKnown = changes.links.length === 0 && changes.files.every(({ path }) => known.find(path) !== undefined);
  if (!isKnown) checkManifest(made.manifest());
  return made;
}

function checkOffer(state: ReleaseState, body: RequestBody<'offer'>, listing: Listing): void {
  if (listing.app !== body.app || !body.instance.startsWith(`${body.app}.`)) {
    throw new SlError('E_MANIFEST', `the manifest is of app ${listing.app}, offered for ${body.instance}`);
  }
  const digest = state.ports.sha256(listing.pieces());
  if (digest !== body.digest) {
    throw new SlError('E_MANIFEST', `the manifest's digest is ${digest}; the offer says ${body.digest}`);
  }
  const known = state.journals.get(body.instance);
  if (known !== undefined && known.digest !== digest) {
    throw new SlError('E_CONFLICT', `${body.instance} is on this node already, with other files`);
  }
}
