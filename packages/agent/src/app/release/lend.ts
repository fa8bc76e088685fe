import { decodeBitmap, SlError } from '@silverlining/protocol';
import type { Handlers } from '../../ports.ts';
import type { ReleaseState } from './state.ts';

/** Sends files of a release that is here: a node that lacks them gets them from the controller, which may not have them any more. */
export function createLend(state: ReleaseState): Handlers['lend'] {
  return async ({ instance, missing, transfer: id }, context) => {
    const app = state.journals.get(instance)?.spec.app ?? '';
    // It must not be removed meanwhile.
    await state.exclusive(app, async () => {
      const journal = state.journals.get(instance);
      const isWhole = journal !== undefined && journal.state !== 'staging' && journal.state !== 'failed';
      const listing = isWhole ? await state.ports.tree.listing(instance) : undefined;
      if (listing?.isReadable !== true) throw new SlError('E_NOT_FOUND', `${instance} is not whole on this node`);
      const { files } = listing.manifest();
      const wanted = decodeBitmap(missing, files.length).flatMap((index) => files[index] ?? []);
      const transfer = await context.openTransfer(id);
      try {
        const { release } = state.pathsOf(app, instance);
        await state.ports.sendFiles({ folder: release, files: wanted, sink: transfer }, context.signal);
      } finally {
        transfer.destroy();
      }
    });
    return {};
  };
}
