import { randomUUID } from 'node:crypto';
import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import { mkdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { type Manifest, manifest as manifestSchema } from '@silverlining/protocol';
import { errno } from '@silverlining/system';
import type { ReleasePaths } from '../../core/release/paths.ts';
import type { ReleaseTree } from '../../release-ports.ts';
import type { DiskContentStore } from './content-store.ts';
import { buildByLinks, type TreeOwners } from './link-tree.ts';
import { namesIn } from './names-in.ts';
import { inSlices } from './slices.ts';

export interface ReleaseTreeOptions {
  paths: Pick<ReleasePaths, 'releases' | 'www'>;
  store: DiskContentStore;
  /** Owners of a release; `group` is that of the app. */
  owners(group: string): Promise<TreeOwners>;
}

/** Names that a half-made or half-removed release has until it is whole, or gone. */
const PARTIAL = '.partial-';

/** Releases as folders of hard links into the content store. */
export function createReleaseTree({ paths, store, owners }: ReleaseTreeOptions): ReleaseTree {
  const folder = (instance: string) => `${paths.releases}/${instance}`;
  const partial = () => `${paths.releases}/${PARTIAL}${randomUUID()}`;
  const remove = async (instance: string) => {
    await rm(`${paths.www}/${instance}`, { force: true });
    await removeFolder(folder(instance), partial());
  };

  return {
    remove,
    materialise: async (release) => {
      const temporary = partial();
      await mkdir(temporary, { recursive: true, mode: 0o755 });
      try {
        await buildByLinks({ folder: temporary, release, store, owners: await owners(release.group) });
        await removeFolder(folder(release.instance), partial());
        await rename(temporary, folder(release.instance));
      } catch (error) {
        await rm(temporary, { recursive: true, force: true });
        throw error;
      }
      await mkdir(paths.www, { recursive: true });
      await linkTo(`${folder(release.instance)}/app`, `${paths.www}/${release.instance}`);
    },
    manifest: (instance) => readStoredManifest(folder(instance)),
    intact: async (instance) => {
      const manifest = await readStoredManifest(folder(instance));
      return manifest !== undefined && isIntact(folder(instance), manifest);
    },
    sweep: async (keep) => {
      for (const name of await namesIn(paths.releases)) {
        if (!keep.has(name)) await rm(folder(name), { recursive: true, force: true });
      }
      for (const name of await namesIn(paths.www)) {
        const target = await linkTarget(`${paths.www}/${name}`);
        if (target?.startsWith(`${paths.releases}/`) && !keep.has(name)) await rm(`${paths.www}/${name}`);
      }
    },
  };
}

/** Where the manifest stands in a release. */
const MANIFEST = 'manifest.json';

async function readStoredManifest(folder: string): Promise<Manifest | undefined> {
  try {
    return manifestSchema.parse(JSON.parse(await readFile(`${folder}/${MANIFEST}`, 'utf8')));
  } catch {
    // Missing or cut by a crash: either way there is no release that could be trusted.
    return undefined;
  }
}

async function isIntact(folder: string, manifest: Manifest): Promise<boolean> {
  let intact = existsSync(`${folder}/app`);
  await inSlices(manifest.files, (file) => {
    const stat = lstatSync(`${folder}/${file.path}`, { throwIfNoEntry: false });
    if (!stat?.isFile() || stat.size !== file.size) intact = false;
  });
  await inSlices(manifest.links, (link) => {
    const path = `${folder}/${link.path}`;
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (!stat?.isSymbolicLink() || readlinkSync(path) !== link.target) intact = false;
  });
  return intact;
}

async function linkTo(target: string, path: string): Promise<void> {
  await rm(path, { force: true });
  await symlink(target, path);
}

/** Out of sight in one step, then removed: a crash in between leaves no release that looks whole. */
async function removeFolder(path: string, aside: string): Promise<void> {
  try {
    await rename(path, aside);
  } catch (error) {
    if (errno(error) === 'ENOENT') return;
    throw error;
  }
  await rm(aside, { recursive: true, force: true });
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch {
    return undefined;
  }
}
