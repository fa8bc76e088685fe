import { decodeBitmap, SlError } from '@silverlining/protocol';
import type { Handlers } from '../../ports.ts';
import type { ReleaseState } from './state.ts';

/**
 * Sends files of a release that is here: a node that lacks them gets them from the controller, which may not have them any more.
 * It waits for no other work of the app, such as the start of this very release: whoever asks has to be served meanwhile, and where
 * it is removed after all, a file that cannot be read any more says so.
 */
export function createLend(state: ReleaseState): Handlers['lend'] {
  return async ({ instance, missing, transfer: id }, context) => {
    const journal = state.journals.get(instance);
    const isWhole = journal?.state !== 'staging' && journal?.state !== 'failed';
    const listing = isWhole ? await state.ports.tree.listing(instance) : undefined;
    if (journal === undefined || listing?.isReadable !== true) {
      throw new SlError('E_NOT_FOUND', `${instance} is not whole on this node`);
    }
    const { files } = listing.manifest();
    const wanted = decodeBitmap(missing, files.length).flatMap((index) => files[index] ?? []);
    const transfer = await context.openTransfer(id);
    try {
      const { release } = state.pathsOf(journal.spec.app, instance);
      await state.ports.sendFiles({ folder: release, files: wanted, sink: transfer }, context.signal);
    } finally {
      transfer.destroy();
    }
    return {};
  };
}
