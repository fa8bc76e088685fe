import type { RequestBody } from '@silverlining/protocol';
import {
  checkManifest,
  encodeBitmap,
  type Manifest,
  type ManifestFile,
  manifestText,
  SlError,
} from '@silverlining/protocol';
import { checkSpace } from '../../core/release/space.ts';
import type { Handlers, RequestContext } from '../../ports.ts';
import type { ReleaseState } from './state.ts';

/** Takes in a manifest, and says which contents the node lacks. */
export function createOffer(state: ReleaseState): Handlers['offer'] {
  return async (body, context) => {
    const manifest = await manifestOf(state, body, context);
    checkOffer(state, body, manifest);
    const missing = missingFiles(state, manifest);
    const free = await state.ports.store.space();
    checkSpace(manifest, [...missing], free);
    state.addOffer(body.instance, { digest: body.digest, manifest });
    const { files } = manifest;
    const isMissing = (index: number) => {
      const file = files[index];
      return file !== undefined && missing.has(file);
    };
    return { missing: encodeBitmap(files.length, isMissing), free: free.bytes };
  };
}

async function manifestOf(state: ReleaseState, body: RequestBody<'offer'>, context: RequestContext): Promise<Manifest> {
  if (body.manifest !== undefined) {
    checkManifest(body.manifest);
    return body.manifest;
  }
  if (body.transfer === undefined) throw new SlError('E_FRAME', 'offer: neither a manifest nor a transfer is given');
  const transfer = await context.openTransfer(body.transfer);
  try {
    return await state.ports.readManifest(transfer, context.signal);
  } finally {
    transfer.destroy();
  }
}

function checkOffer(state: ReleaseState, body: RequestBody<'offer'>, manifest: Manifest): void {
  if (manifest.app !== body.app || !body.instance.startsWith(`${body.app}.`)) {
    throw new SlError('E_MANIFEST', `the manifest is of app ${manifest.app}, offered for ${body.instance}`);
  }
  const digest = state.ports.sha256(manifestText(manifest));
  if (digest !== body.digest) {
    throw new SlError('E_MANIFEST', `the manifest's digest is ${digest}; the offer says ${body.digest}`);
  }
  const known = state.journals.get(body.instance);
  if (known !== undefined && known.digest !== digest) {
    throw new SlError('E_CONFLICT', `${body.instance} is on this node already, with other files`);
  }
}

/** Files of equal content are asked for once. */
export function missingFiles(state: ReleaseState, manifest: Manifest): Set<ManifestFile> {
  const missing = new Map<string, ManifestFile>();
  for (const file of manifest.files) {
    const key = `${file.sha256} ${file.mode}`;
    if (!missing.has(key) && !state.ports.store.has(file)) missing.set(key, file);
  }
  return new Set(missing.values());
}
