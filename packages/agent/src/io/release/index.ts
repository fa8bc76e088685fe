/** The release ports on a real node. */
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { SlError } from '@silverlining/protocol';
import { releasePaths } from '../../core/release/paths.ts';
import type { NodeView } from '../../ports.ts';
import type { AgentClock, ReleasePorts } from '../../release-ports.ts';
import { monotonic } from '../clock.ts';
import { isReloading } from '../systemd.ts';
import { ensureAccount, RELEASE_OWNER } from './accounts.ts';
import { appHttp } from './app-http.ts';
import { createAppPlaces } from './app-places.ts';
import { createBoots } from './boots.ts';
import { openContentStore } from './content-store.ts';
import { createExclusive } from './exclusive.ts';
import { sha256OfText } from './file-hash.ts';
import { openBalancer } from './haproxy.ts';
import { createInstanceUnits } from './instance-units.ts';
import { openJournals } from './journals.ts';
import { mounts } from './mounts.ts';
import { createProxyFiles } from './proxy-files.ts';
import { createReleaseTree } from './release-tree.ts';
import { createScriptRunner } from './script-runner.ts';
import { sendFiles } from './send-files.ts';
import { syncWritten } from './sync-written.ts';
import { parseListing, readChunkLists, readListing } from './unpack.ts';

export interface ReleasePortsOptions {
  node: NodeView;
  installPackages: ReleasePorts['installPackages'];
  warn(message: string): void;
}

/** Opens what releases need on this node: reads the content store's index and makes missing folders. */
export async function openReleasePorts({ node, installPackages, warn }: ReleasePortsOptions): Promise<ReleasePorts> {
  const paths = releasePaths();
  const store = await openContentStore(paths.store, () => ensureAccount(RELEASE_OWNER));
  const owners = async (group: string) => ({
    release: await ensureAccount(RELEASE_OWNER),
    config: { uid: 0, gid: (await ensureAccount(group)).gid },
  });
  return {
    store,
    tree: createReleaseTree({ paths, store, owners, mounts, warn }),
    units: createInstanceUnits(paths.units),
    journals: await openJournals(paths, warn),
    proxy: await createProxyFiles(paths),
    balancer: await openBalancer({ paths, isReloading: () => isReloading('haproxy.service') }),
    places: createAppPlaces({ paths, ensureAccount }),
    http: appHttp,
    scripts: createScriptRunner(paths.node),
    clock,
    exclusive: createExclusive(),
    node,
    paths,
    ...createBoots(`${dirname(paths.committed)}/boot-id`),
    sync: (written) => syncWritten(paths, written),
    installPackages,
    parseListing,
    readListing,
    readChunkLists,
    sendFiles,
    sha256: sha256OfText,
    warn,
  };
}

const clock: AgentClock = {
  now: () => Date.now(),
  monotonic,
  sleep: async (ms, signal) => {
    try {
      await setTimeout(ms, undefined, { signal });
    } catch (cause) {
      const reason: unknown = signal.reason;
      throw reason instanceof SlError ? reason : new SlError('E_ABORTED', 'waiting was cancelled', { cause });
    }
  },
};
