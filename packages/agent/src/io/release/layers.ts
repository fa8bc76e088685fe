import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, rmdir, symlink, writeFile } from 'node:fs/promises';
import { type Manifest, SlError } from '@silverlining/protocol';
import { errno } from '@silverlining/system';
import {
  hiddenPaths,
  type Layer,
  type LayerMount,
  layerRecord,
  mountUnitName,
  mountUnitText,
} from '../../core/release/layer.ts';
import type { ReleasePaths } from '../../core/release/paths.ts';
import { buildByLinks, type TreeInput } from './link-tree.ts';
import { namesIn } from './names-in.ts';
import type { Overlays } from './overlay.ts';
import { holdsAllOf, PARTIAL, removeFolder } from './tree-files.ts';

export interface LayersOptions {
  paths: Pick<ReleasePaths, 'releases' | 'layers' | 'units'>;
  overlays: Overlays;
}

export type NewLayer = Omit<TreeInput, 'folder' | 'hidden'> & { instance: string; layer: Layer };

/** Releases that are layers over another: a folder each with what differs, a mount, and a unit for it. */
export interface Layers {
  /** Makes `releases/INSTANCE`, or throws and leaves nothing. */
  build(release: NewLayer): Promise<void>;
  read(instance: string): Promise<Layer | undefined>;
  /** Removes a layer, whole or in part. Harmless where there is none. */
  drop(instance: string): Promise<void>;
  instances(): Promise<string[]>;
  /** Removes layers that are not in `keep` and mounts that belong to none. */
  sweep(keep: ReadonlySet<string>): Promise<void>;
  /** Mounts what lies over that base anew: the folder was replaced. */
  remount(base: string): Promise<void>;
  /** Mounts what is not mounted; returns the instances where that failed. */
  mountAll(): Promise<string[]>;
}

export function createLayers({ paths, overlays }: LayersOptions): Layers {
  const pointOf = (instance: string) => `${paths.releases}/${instance}`;
  const folderOf = (instance: string) => `${paths.layers}/${instance}`;
  const aside = () => folderOf(`${PARTIAL}${randomUUID()}`);

  const read = async (instance: string): Promise<Layer | undefined> => {
    const text = await readFile(`${folderOf(instance)}/layer.json`, 'utf8').catch(() => undefined);
    return text === undefined ? undefined : parseLayer(text);
  };
  const mountOf = (instance: string, base: string): LayerMount => ({
    instance,
    path: pointOf(instance),
    lower: [`${folderOf(instance)}/tree`, pointOf(base)],
  });
  const instances = async () => (await namesIn(paths.layers)).filter((name) => !name.startsWith('.'));
  const unmount = async (instance: string): Promise<void> => {
    // systemd may have mounted it once more, on top, before it noticed that it was.
    while ((await overlays.mounted(paths.releases)).has(instance)) await overlays.unmount(pointOf(instance));
  };
  const drop = async (instance: string): Promise<void> => {
    await unmount(instance);
    await removeUnit(paths.units, pointOf(instance));
    await removeFolder(folderOf(instance), aside());
    await removeEmpty(pointOf(instance));
  };

  return {
    read,
    drop,
    instances,
    build: async (release) => {
      const { instance, layer } = release;
      try {
        await writeLayer(release, { folder: folderOf(instance), temporary: aside(), whiteout: await whiteout() });
        const mount = mountOf(instance, layer.base);
        await mkdir(mount.path);
        await writeUnit(paths.units, mount);
        await overlays.mount(mount);
        await checkMount(overlays, paths.releases, { mount, layer });
      } catch (error) {
        await drop(instance);
        throw error;
      }
    },
    sweep: async (keep) => {
      const partial = (await namesIn(paths.layers)).filter((name) => name.startsWith(PARTIAL));
      for (const name of partial) await rm(folderOf(name), { recursive: true, force: true });
      // Mounts without a layer are what a crash left between the steps of `drop`.
      const all = [...(await instances()), ...(await overlays.mounted(paths.releases))];
      const layered = new Set(await instances());
      for (const name of new Set(all)) if (!keep.has(name) || !layered.has(name)) await drop(name);
      await removeUnits(paths, new Set(await instances()));
    },
    remount: async (base) => {
      for (const instance of await instances()) {
        if ((await read(instance))?.base !== base) continue;
        await unmount(instance);
        await overlays.mount(mountOf(instance, base));
      }
    },
    mountAll: async () => {
      const mounted = await overlays.mounted(paths.releases);
      const missing = (await instances()).filter((name) => !mounted.has(name));
      const failed = [];
      for (const instance of missing) {
        const layer = await read(instance);
        if (layer === undefined || !(await mountAgain(mountOf(instance, layer.base)))) failed.push(instance);
      }
      return failed;
    },
  };

  async function whiteout(): Promise<string> {
    const path = folderOf('.whiteout');
    await mkdir(paths.layers, { recursive: true, mode: 0o755 });
    if (!existsSync(path)) await overlays.makeWhiteout(path);
    return path;
  }

  async function mountAgain(mount: LayerMount): Promise<boolean> {
    try {
      await mkdir(mount.path, { recursive: true });
      await overlays.mount(mount);
      return true;
    } catch {
      return false;
    }
  }
}

function parseLayer(text: string): Layer | undefined {
  try {
    return layerRecord.parse(JSON.parse(text));
  } catch {
    // Cut by a crash: then it was never reported as staged.
    return undefined;
  }
}

async function writeLayer(
  { layer, release, store, owners }: NewLayer,
  { folder, temporary, whiteout }: { folder: string; temporary: string; whiteout: string },
): Promise<void> {
  const { manifest, support } = release;
  const changed: Manifest = { ...manifest, files: layer.changes.files, links: layer.changes.links };
  await mkdir(`${temporary}/tree`, { recursive: true, mode: 0o755 });
  await buildByLinks({
    ...{ folder: `${temporary}/tree`, release: { manifest: changed, support }, store, owners },
    hidden: { paths: hiddenPaths(manifest, layer.changes.removed), whiteout },
  });
  await writeFile(`${temporary}/layer.json`, JSON.stringify({ version: 1, ...layer }), { mode: 0o600 });
  await rename(temporary, folder);
}

/** The kernel shows what the layer says, and shows it to all. */
async function checkMount(
  overlays: Overlays,
  releases: string,
  { mount, layer }: { mount: LayerMount; layer: Layer },
): Promise<void> {
  const { files, links, removed } = layer.changes;
  const seen = (await overlays.shared(releases)).has(mount.instance);
  const holds = await holdsAllOf(mount.path, { files, links });
  const hides = removed.every((path) => !existsSync(`${mount.path}/${path}`));
  if (seen && holds && hides && existsSync(`${mount.path}/app`)) return;
  throw new SlError('E_RESOURCE', `the overlay at ${mount.path} does not show the release to all of the node`);
}

async function writeUnit(units: string, mount: LayerMount): Promise<void> {
  const name = mountUnitName(mount.path);
  const wants = `${units}/multi-user.target.wants`;
  await mkdir(wants, { recursive: true });
  await writeFile(`${units}/${name}`, mountUnitText(mount), { mode: 0o644 });
  await rm(`${wants}/${name}`, { force: true });
  await symlink(`../${name}`, `${wants}/${name}`);
}

async function removeUnit(units: string, path: string): Promise<void> {
  const name = mountUnitName(path);
  await rm(`${units}/multi-user.target.wants/${name}`, { force: true });
  await rm(`${units}/${name}`, { force: true });
}

/** Removes units of mounts below the releases' folder that belong to none of the instances, and the links to them. */
async function removeUnits(paths: LayersOptions['paths'], instances: ReadonlySet<string>): Promise<void> {
  const { units, releases } = paths;
  const prefix = mountUnitName(`${releases}/`).replace(/\.mount$/, '');
  const wanted = new Set([...instances].map((name) => mountUnitName(`${releases}/${name}`)));
  for (const folder of [`${units}/multi-user.target.wants`, units]) {
    const ours = (await namesIn(folder)).filter((name) => name.startsWith(prefix) && name.endsWith('.mount'));
    for (const name of ours) if (!wanted.has(name)) await rm(`${folder}/${name}`, { force: true });
  }
}

/** The mount point; what is in it is no layer's, but a release of its own. */
async function removeEmpty(path: string): Promise<void> {
  try {
    await rmdir(path);
  } catch (error) {
    if (errno(error) !== 'ENOENT' && errno(error) !== 'ENOTEMPTY') throw error;
  }
}
