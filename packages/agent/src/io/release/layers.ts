import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmdirSync, writeFileSync } from 'node:fs';
import { SlError, toSlError } from '@silverlining/protocol';
import { errno } from '@silverlining/system';
import {
  hiddenPaths,
  imageMount,
  type Layer,
  layerRecord,
  overlayMount,
  type ReleaseMount,
} from '../../core/release/layer.ts';
import type { Listing } from '../../core/release/listing.ts';
import type { ReleasePaths } from '../../core/release/paths.ts';
import { removeTree } from '../remove-tree.ts';
import type { DiskContentStore } from './content-store.ts';
import { buildByLinks, type TreeInput } from './link-tree.ts';
import { removeMountUnit, sweepMountUnits, writeMountUnit } from './mount-units.ts';
import type { Mounts } from './mounts.ts';
import { namesIn } from './names-in.ts';
import { PACK_DATA, type Pack } from './pack.ts';
import { holdsAllOf, PARTIAL, removeFolder } from './tree-files.ts';

export interface LayersOptions {
  paths: Pick<ReleasePaths, 'releases' | 'layers' | 'units'>;
  packs: DiskContentStore['packs'];
  mounts: Mounts;
  warn(message: string): void;
}

export type NewLayer = Omit<TreeInput, 'folder' | 'hidden' | 'release'> & {
  instance: string;
  layer: Layer;
  listing: Listing;
  support: TreeInput['release']['support'];
};
export interface NewImage {
  instance: string;
  /** Claimed. */
  pack: Pack;
  /** Makes an image of the pack. */
  lay(): Promise<void>;
}

/** Releases that are mounts: images, and layers over others. Each has a folder, a mount, and a unit for that. */
export interface Layers {
  /** Makes `releases/INSTANCE`, or throws and leaves nothing: E_RESOURCE when the node does not mount it. */
  build(release: NewLayer): Promise<void>;
  /** The same of an image, of a pack that was claimed; what there was of the release is gone then. When it throws, the pack waits in the store. */
  buildImage(release: NewImage): Promise<void>;
  /** Of what is a layer over another. */
  read(instance: string): Layer | undefined;
  /** The folder of an image; undefined of anything else. */
  imageFolder(instance: string): string | undefined;
  /** Removes one, whole or in part; the contents of an image go back to the store. Harmless where there is none. */
  drop(instance: string): Promise<void>;
  /** Those that lie over another. */
  overlays(): string[];
  /** What these lie over. */
  bases(): Set<string>;
  /** Removes what is not in `keep` and not below something that is, and mounts that belong to none. */
  sweep(keep: ReadonlySet<string>): Promise<void>;
  /** Mounts what lies over that base anew: the folder was replaced. */
  remount(base: string): Promise<void>;
  /** Mounts what is not mounted; warns of why that failed, and returns the instances where it did. */
  mountAll(): Promise<string[]>;
}

export function createLayers({ paths, packs, mounts, warn }: LayersOptions): Layers {
  const pointOf = (instance: string) => `${paths.releases}/${instance}`;
  const folderOf = (instance: string) => `${paths.layers}/${instance}`;
  const aside = () => folderOf(`${PARTIAL}${randomUUID()}`);
  const isImage = (instance: string) => existsSync(`${folderOf(instance)}/${PACK_DATA}`);

  const read = (instance: string): Layer | undefined => readLayer(`${folderOf(instance)}/layer.json`);
  const mountOf = (instance: string): ReleaseMount | undefined => {
    const point = { instance, path: pointOf(instance) };
    if (isImage(instance)) return imageMount(point, `${folderOf(instance)}/${PACK_DATA}`);
    const base = read(instance)?.base;
    if (base === undefined) return undefined;
    return overlayMount(point, { layer: `${folderOf(instance)}/tree`, base: pointOf(base) });
  };
  /** Images first: others lie over them. */
  const instances = () => {
    const all = namesIn(paths.layers).filter((name) => !name.startsWith('.'));
    return [...all.filter(isImage), ...all.filter((name) => !isImage(name))];
  };
  const overlays = () => instances().filter((name) => !isImage(name));
  const bases = () => {
    const layers = overlays().map(read);
    return new Set(layers.flatMap((layer) => (layer === undefined ? [] : [layer.base])));
  };
  const unmount = async (instance: string): Promise<void> => {
    // systemd may have mounted it once more, on top, before it noticed that it was.
    while ((await mounts.mounted(paths.releases)).has(instance)) await mounts.unmount(pointOf(instance));
  };
  const drop = async (instance: string): Promise<void> => {
    await unmount(instance);
    removeMountUnit(paths.units, pointOf(instance));
    if (isImage(instance)) packs.takeBack(folderOf(instance));
    else await removeFolder(folderOf(instance), aside());
    removeEmpty(pointOf(instance));
  };
  const requireMount = (instance: string): ReleaseMount => {
    const mount = mountOf(instance);
    if (mount === undefined) throw new SlError('E_INTERNAL', `${instance} is neither an image nor a layer`);
    return mount;
  };
  /** Shows the release to all of the node. */
  const show = async (instance: string): Promise<ReleaseMount> => {
    const mount = requireMount(instance);
    mkdirSync(mount.path, { recursive: true });
    writeMountUnit(paths.units, mount);
    await mounts.mount(mount);
    const seen = (await mounts.shared(paths.releases)).has(instance);
    if (seen && existsSync(`${mount.path}/app`)) return mount;
    throw new SlError('E_RESOURCE', `the mount at ${mount.path} does not show the release to all of the node`);
  };

  return {
    read,
    drop,
    overlays,
    bases,
    imageFolder: (instance) => (isImage(instance) ? folderOf(instance) : undefined),
    build: async (release) => {
      const { instance, layer, listing } = release;
      try {
        const hidden = { paths: hiddenPaths(listing, layer.changes.removed), whiteout: await whiteout() };
        await writeLayer(release, { folder: folderOf(instance), temporary: aside(), hidden });
        await checkLayer(await show(instance), { changes: layer.changes, hidden: hidden.paths });
      } catch (error) {
        await drop(instance);
        throw error;
      }
    },
    buildImage: async (release) => {
      const { instance, pack, lay } = release;
      try {
        await lay();
        await drop(instance);
        await removeFolder(pointOf(instance), `${paths.releases}/${PARTIAL}${randomUUID()}`);
        packs.lend(pack, folderOf(instance));
      } catch (error) {
        packs.release(pack);
        throw error;
      }
      try {
        await show(instance);
      } catch (error) {
        await drop(instance);
        throw error;
      }
    },
    sweep: async (keep) => {
      const partial = namesIn(paths.layers).filter((name) => name.startsWith(PARTIAL));
      for (const name of partial) await removeTree(folderOf(name));
      for (const name of overlays()) if (!keep.has(name)) await drop(name);
      const wanted = new Set([...keep, ...bases()]);
      const there = new Set(instances().filter((name) => wanted.has(name)));
      // Mounts without a folder are what a crash left between the steps of `drop`.
      const all = [...instances(), ...(await mounts.mounted(paths.releases))];
      for (const name of new Set(all)) if (!there.has(name)) await drop(name);
      for (const name of [...there].filter(isImage)) packs.open(folderOf(name));
      sweepMountUnits(paths, there);
    },
    remount: async (base) => {
      for (const instance of overlays()) {
        if (read(instance)?.base !== base) continue;
        await unmount(instance);
        const mount = mountOf(instance);
        if (mount !== undefined) await mounts.mount(mount);
      }
    },
    mountAll: async () => {
      const mounted = await mounts.mounted(paths.releases);
      const missing = instances().filter((name) => !mounted.has(name));
      const failed = [];
      for (const instance of missing) if (!(await mountAgain(instance))) failed.push(instance);
      return failed;
    },
  };

  async function whiteout(): Promise<string> {
    const path = folderOf('.whiteout');
    mkdirSync(paths.layers, { recursive: true, mode: 0o755 });
    if (!existsSync(path)) await mounts.makeWhiteout(path);
    return path;
  }

  async function mountAgain(instance: string): Promise<boolean> {
    try {
      const mount = requireMount(instance);
      mkdirSync(mount.path, { recursive: true });
      await mounts.mount(mount);
      return true;
    } catch (error) {
      warn(`${instance} cannot be mounted: ${toSlError(error).message}`);
      return false;
    }
  }
}

/** Of what changed alone, so small: read in one go, where four turns to another thread and back would cost more. */
function readLayer(path: string): Layer | undefined {
  try {
    return layerRecord.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    // None, or cut by a crash: then it was never reported as staged.
    return undefined;
  }
}

async function writeLayer(
  { layer, support, store, owners }: NewLayer,
  { folder, temporary, hidden }: { folder: string; temporary: string; hidden: NonNullable<TreeInput['hidden']> },
): Promise<void> {
  mkdirSync(`${temporary}/tree`, { recursive: true, mode: 0o755 });
  await buildByLinks({
    ...{ folder: `${temporary}/tree`, release: { parts: layer.changes, support }, store, owners, hidden },
  });
  writeFileSync(`${temporary}/layer.json`, JSON.stringify({ version: 1, ...layer }), { mode: 0o600 });
  renameSync(temporary, folder);
}

/** The kernel shows what the layer says. */
async function checkLayer(
  { path }: ReleaseMount,
  { changes, hidden }: Pick<Layer, 'changes'> & { hidden: readonly string[] },
): Promise<void> {
  const holds = await holdsAllOf(path, changes);
  const hides = hidden.every((it) => !existsSync(`${path}/${it}`));
  if (!holds || !hides) throw new SlError('E_RESOURCE', `the overlay at ${path} does not show what its layer says`);
}

/** The mount point; what is in it is no layer's, but a release of its own. */
function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (errno(error) !== 'ENOENT' && errno(error) !== 'ENOTEMPTY') throw error;
  }
}
