import { Readable } from 'node:stream';
import { type RequestBody, SlError } from '@silverlining/protocol';
import type { RequestContext } from '../../ports.ts';
import type { Offer, ReleaseState } from './state.ts';

type Order = RequestBody<'stage'>;

/** Takes in the contents that the node lacks of a release. E_MANIFEST when they are not sent. */
export async function receive(state: ReleaseState, body: Order, offer: Offer, context: RequestContext): Promise<void> {
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
