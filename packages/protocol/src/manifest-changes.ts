/** How one manifest differs from another: a release that differs little from one that is there costs little to describe. */
import * as z from 'zod/mini';
import { comparePaths } from './manifest-rules.ts';
import { type Manifest, type ManifestFile, manifestFile, manifestLink, releasePath } from './release.ts';

export const manifestChanges = z.object({
  /** New ones, and those that have another content or mode. */
  files: z.array(manifestFile),
  /** New ones, and those that lead elsewhere. */
  links: z.array(manifestLink),
  /** Paths of files and links that are gone. */
  removed: z.array(releasePath),
});
export type ManifestChanges = z.infer<typeof manifestChanges>;

/** What leads from one manifest to another of the same app. */
export function diffManifests(from: Manifest, to: Manifest): ManifestChanges {
  const files = differing(from.files, to.files, sameFile);
  const links = differing(from.links, to.links, (a, b) => a.target === b.target);
  // A path that changed its kind is not gone.
  const added = new Set([...files.changed, ...links.changed].map((it) => it.path));
  const removed = [...files.gone, ...links.gone].filter((path) => !added.has(path)).sort();
  return { files: files.changed, links: links.changed, removed };
}

/** The manifest that changes make of another. Its order is right; other rules are for `checkManifest`. */
export function applyChanges(base: Manifest, changes: ManifestChanges): Manifest {
  const { files, links, removed } = changes;
  const touched = new Set([...removed, ...[...files, ...links].map((it) => it.path)]);
  return {
    ...base,
    files: merge(base.files, files, touched),
    links: merge(base.links, links, touched),
  };
}

type Entry = { path: string };

/** Both lists are in path order, as manifests have them. */
function differing<T extends Entry>(from: readonly T[], to: readonly T[], same: (a: T, b: T) => boolean) {
  const changed: T[] = [];
  const gone: string[] = [];
  let at = 0;
  for (const entry of to) {
    for (let old = from[at]; old !== undefined && old.path < entry.path; old = from[++at]) gone.push(old.path);
    const old = from[at];
    if (old?.path !== entry.path) changed.push(entry);
    else if (!same(old, entry)) changed.push(entry);
    if (old?.path === entry.path) at++;
  }
  return { changed, gone: [...gone, ...from.slice(at).map((it) => it.path)] };
}

function sameFile(a: ManifestFile, b: ManifestFile): boolean {
  return a === b || (a.sha256 === b.sha256 && a.mode === b.mode && a.size === b.size);
}

function merge<T extends Entry>(base: readonly T[], added: readonly T[], touched: ReadonlySet<string>): T[] {
  const kept = base.filter((it) => !touched.has(it.path));
  return added.length === 0 ? kept : [...kept, ...added].sort(comparePaths);
}
