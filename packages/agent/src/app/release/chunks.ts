import { CHUNKED_FROM, encodeBitmap, type ManifestFile, SlError } from '@silverlining/protocol';
import type { Assembly } from '../../core/release/assembly.ts';
import { appOf } from '../../core/release/choices.ts';
import type { Handlers } from '../../ports.ts';
import type { ReleaseState } from './state.ts';

/** Says which chunks of the large files of an offer the node lacks, and remembers how to put the files together. */
export function createChunks(state: ReleaseState): Handlers['chunks'] {
  return async ({ instance, transfer: id }, context) => {
    const offer = state.offers.get(instance);
    if (offer?.files === undefined)
      throw new SlError('E_NOT_FOUND', `${instance} was not offered to this node; offer it again`);
    const transfer = await context.openTransfer(id);
    try {
      const { files } = await state.ports.readChunkLists(transfer, context.signal);
      const contents = contentsOf(files, offer.files.missing);
      const sources = await sourcesOf(state, instance);
      const plans = await state.ports.store.plan(contents, sources, context.signal);
      // As for an offer: by now another deploy may have begun.
      context.signal.throwIfAborted();
      const assemblies = new Map<string, Assembly>();
      contents.forEach(({ file }, i) => {
        const assembly = plans[i]?.assembly;
        if (assembly !== undefined) assemblies.set(file.path, assembly);
      });
      state.addOffer(instance, { ...offer, files: { ...offer.files, assemblies } });
      return { missing: plans.map(({ missing }, i) => encodeBitmap(contents[i]?.list.sizes.length ?? 0, missing)) };
    } finally {
      transfer.destroy();
    }
  };
}

type Content = { file: ManifestFile; list: Lists[number]['chunks'] };
type Lists = Awaited<ReturnType<ReleaseState['ports']['readChunkLists']>>['files'];

function contentsOf(lists: Lists, missing: readonly ManifestFile[]): Content[] {
  const byPath = new Map(missing.map((file) => [file.path, file]));
  return lists.map(({ path, chunks }) => {
    const file = byPath.get(path);
    const bytes = chunks.sizes.reduce((sum, size) => sum + size, 0);
    if (file?.size === bytes) return { file, list: chunks };
    throw new SlError('E_MANIFEST', `the chunks of ${JSON.stringify(path)} are not those of a file that is missing`);
  });
}

/** Large files of the app's other releases here, the newest release first. */
async function sourcesOf(state: ReleaseState, instance: string): Promise<ManifestFile[]> {
  const app = appOf(instance);
  const others = state.all().filter((it) => it.spec.app === app && it.instance !== instance);
  const large: ManifestFile[] = [];
  for (const other of others.sort((a, b) => (a.instance < b.instance ? 1 : -1))) {
    const listing = await state.ports.tree.listing(other.instance);
    if (listing?.isReadable) large.push(...listing.manifest().files.filter(({ size }) => size >= CHUNKED_FROM));
  }
  return large;
}
