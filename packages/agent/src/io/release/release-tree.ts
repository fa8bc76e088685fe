import { randomUUID } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { diffManifests, SlError, toSlError } from '@silverlining/protocol';
import { LISTING, mkdir, readlink, rename, rm, type TreeOwners, writeFile } from '@silverlining/system';
import type { ReceivedImage } from '../../content-ports.ts';
import { isMost, type Layer, worthLayering } from '../../core/release/layer.ts';
import type { Listing } from '../../core/release/listing.ts';
import type { ReleasePaths } from '../../core/release/paths.ts';
import type { NewRelease, ReleaseTree } from '../../release-ports.ts';
import { removeTree } from '../remove-tree.ts';
import type { DiskContentStore } from './content-store.ts';
import { diskFull } from './disk-full.ts';
import { writeImage, writeOwners } from './image.ts';
import { createLayers, type NewImage } from './layers.ts';
import { buildByLinks } from './link-tree.ts';
import { listingReader } from './listing-reader.ts';
import type { Mounts } from './mounts.ts';
import { namesIn } from './names-in.ts';
import { holdsAllOf, PARTIAL, removeFolder } from './tree-files.ts';

export interface ReleaseTreeOptions {
  paths: Pick<ReleasePaths, 'releases' | 'layers' | 'units' | 'www'>;
  store: DiskContentStore;
  /** Owners of a release; `group` is that of the app. */
  owners(group: string): Promise<TreeOwners>;
  mounts: Mounts;
  warn(message: string): void;
}

/** In a full tree: nothing but what the manifest says is in it, so that others may lie over it. */
const SHAREABLE = 'shareable';

/**
 * Releases as images, as folders of hard links into the content store, or as layers over one of these. What layers lie over
 * outlives its own release, and goes with the last layer.
 */
export function createReleaseTree({ paths, store, owners, mounts, warn }: ReleaseTreeOptions): ReleaseTree {
  const folder = (instance: string) => `${paths.releases}/${instance}`;
  const link = (instance: string) => `${paths.www}/${instance}`;
  const partial = () => folder(`${PARTIAL}${randomUUID()}`);
  const layers = createLayers({ paths, packs: store.packs, mounts, warn });
  const wholeListing = listingReader(folder);
  /** What of an image or a folder says that others may lie over it. */
  const marker = (instance: string) => `${layers.imageFolder(instance) ?? folder(instance)}/${SHAREABLE}`;
  const works = { layers: true, images: true };

  const listing = async (instance: string): Promise<Listing | undefined> => {
    const layer = layers.read(instance);
    if (layer === undefined) return wholeListing(instance);
    return (await wholeListing(layer.base))?.with(layer.changes);
  };
  const removeWhole = async (instance: string): Promise<void> => {
    if (layers.bases().has(instance)) return;
    await layers.drop(instance);
    await removeFolder(folder(instance), partial());
  };
  /** Returns what it lay over. */
  const removeAlone = async (instance: string): Promise<string | undefined> => {
    rmSync(link(instance), { force: true });
    const base = layers.read(instance)?.base;
    if (base === undefined) await removeWhole(instance);
    else await layers.drop(instance);
    return base;
  };
  const makeLink = (instance: string): void => {
    mkdirSync(paths.www, { recursive: true });
    symlinkSync(`${folder(instance)}/app`, link(instance));
  };

  return {
    listing,
    remove: async (instance, keep) => {
      const base = await removeAlone(instance);
      if (base !== undefined && !keep.has(base)) await removeWhole(base);
    },
    takesImages: () => works.images,
    isLayer: (it) => works.layers && it.whole !== it && worthLayering(it, it.changes),
    materialise: async (release) => {
      await removeAlone(release.instance);
      // What others lie over is made again in its place.
      const isBase = existsSync(folder(release.instance));
      const isWhole = isBase || release.image !== undefined;
      if ((isWhole || !(await buildLayer(release))) && !(await buildImage(release))) await buildFull(release);
      makeLink(release.instance);
    },
    intact: async (instance) => {
      const listed = await listing(instance);
      const holds = listed?.isReadable === true && (await holdsAllOf(folder(instance), listed.manifest()));
      if (holds && existsSync(`${folder(instance)}/app`)) return true;
      await unshare(instance);
      return false;
    },
    sweep: async (keep) => {
      await layers.sweep(keep);
      const bases = layers.bases();
      for (const name of namesIn(paths.releases)) {
        if (!keep.has(name) && !bases.has(name)) await removeTree(folder(name));
      }
      const lost = await layers.mountAll();
      for (const instance of lost) await unshare(instance);
      await sweepLinks(keep);
      return lost;
    },
  };

  async function sweepLinks(keep: ReadonlySet<string>): Promise<void> {
    for (const name of namesIn(paths.www)) {
      const target = await linkTarget(link(name));
      if (target?.startsWith(`${paths.releases}/`) && !keep.has(name)) await rm(link(name));
    }
    for (const name of keep) if (!isThere(link(name)) && existsSync(`${folder(name)}/app`)) makeLink(name);
  }

  /** Nothing new is laid over what is damaged. */
  async function unshare(instance: string): Promise<void> {
    const full = layers.read(instance)?.base ?? instance;
    await rm(marker(full), { force: true });
  }

  async function buildFull({ instance, listing: listed, support, group, shareable }: NewRelease): Promise<void> {
    const temporary = partial();
    await mkdir(temporary, { recursive: true, mode: 0o755 });
    try {
      const release = { parts: listed.manifest(), support };
      await buildByLinks({ folder: temporary, release, store, owners: await owners(group), copies: !shareable });
      await writeFile(`${temporary}/${LISTING}`, listed.text, { mode: 0o600 });
      if (shareable) await writeFile(`${temporary}/${SHAREABLE}`, '', { mode: 0o600 });
      await layers.drop(instance);
      await removeFolder(folder(instance), partial());
      await rename(temporary, folder(instance));
      await layers.remount(instance);
    } catch (error) {
      await removeTree(temporary);
      throw error;
    }
  }

  /** False when nothing is there that it could lie over, or the node has no overlays. */
  async function buildLayer(it: NewRelease): Promise<boolean> {
    const { instance, listing: listed, support, group, shareable } = it;
    // What nobody has is in no release here: with so much of it, the comparison need not be made.
    const isPossible = works.layers && shareable && !isMost(it.brought, listed.fileCount);
    const layer = isPossible ? await layerOf(listed) : undefined;
    if (layer === undefined) return false;
    const release = { instance, layer, listing: listed, support, store, owners: await owners(group) };
    return tryToMount(instance, 'layers', () => layers.build(release));
  }

  /** False when not enough of it came at once, or the node cannot mount images. */
  async function buildImage(release: NewRelease): Promise<boolean> {
    const { instance, image } = release;
    if (!works.images || !release.shareable) return false;
    const made = image === undefined ? await claimContents(release) : await claimImage(release, image);
    if (made === undefined) return false;
    return tryToMount(instance, 'images', async () => {
      await layers.buildImage({ instance, ...made });
      await image?.written;
      await writeFile(marker(instance), '', { mode: 0o600 });
      await layers.remount(instance);
    });
  }

  /** Contents that came one by one, which the image is laid over. */
  async function claimContents(it: NewRelease): Promise<Omit<NewImage, 'instance'> | undefined> {
    const ownersOfIt = await owners(it.group);
    const manifest = it.listing.manifest();
    const pack = store.packs.claim(manifest);
    if (pack === undefined) return undefined;
    const release = { manifest, support: it.support };
    const own = { [LISTING]: it.listing.text };
    return { pack, lay: () => writeImage({ pack, release, own, store, owners: ownersOfIt }) };
  }

  /** E_MANIFEST when it is gone: the next offer then asks for what is. */
  async function claimImage({ group }: NewRelease, image: ReceivedImage): Promise<Omit<NewImage, 'instance'>> {
    const ownersOfIt = await owners(group);
    const pack = store.packs.claimImage(image);
    if (pack === undefined) throw new SlError('E_MANIFEST', 'the image that came is gone from the node; deploy again');
    return { pack, lay: async () => writeOwners(pack.data, ownersOfIt) };
  }

  async function tryToMount(instance: string, kind: keyof typeof works, act: () => Promise<void>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (error) {
      const failure = toSlError(diskFull(undefined, error));
      const { code, message } = failure;
      if (code === 'E_DISK_FULL' || code === 'E_MANIFEST') throw failure;
      // What else went wrong may have to do with this release alone.
      if (code !== 'E_RESOURCE')
        warn(`${instance} is made of files, as it could not be one of the ${kind}: ${message}`);
      else {
        works[kind] = false;
        warn(`releases are no ${kind} from here on, as those cannot be mounted on this node: ${message}`);
      }
      return false;
    }
  }

  /** Over the newest release of the app that is there in full. */
  async function layerOf(listed: Listing): Promise<Layer | undefined> {
    // Seen through a layer, what marks the tree below is there too.
    const layered = new Set(layers.overlays());
    const base = namesIn(paths.releases)
      .filter((name) => name.startsWith(`${listed.app}.`) && !layered.has(name))
      .filter((name) => existsSync(marker(name)))
      .sort()
      .at(-1);
    const below = base === undefined ? undefined : await wholeListing(base);
    if (base === undefined || below === undefined) return undefined;
    const isItsBase = below === listed.whole || below.text === listed.whole.text;
    if (!isItsBase && !below.isReadable) return undefined;
    const changes = isItsBase ? listed.changes : diffManifests(below.manifest(), listed.manifest());
    return worthLayering(listed, changes) ? { base, changes } : undefined;
  }
}

/** Also where a link leads nowhere. */
function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch {
    return undefined;
  }
}
