/** What a manifest must be beyond its schema. The controller makes manifests that pass; agents let in no other. */
import { SlError } from './errors.ts';
import type { Manifest } from './release.ts';

/** Throws E_MANIFEST that names the first path that breaks a rule. */
export function checkManifest(manifest: Manifest): void {
  checkOrder(manifest.files);
  checkOrder(manifest.links);
  const paths = [...manifest.files, ...manifest.links].map((entry) => entry.path);
  const collision = findCollision(paths);
  if (collision !== undefined) throw new SlError('E_MANIFEST', collision);
  for (const link of manifest.links) {
    if (linkStaysInside(link.path, link.target)) continue;
    throw new SlError('E_MANIFEST', `link ${JSON.stringify(link.path)} points out of its part of the release`);
  }
}

/**
 * Says which two paths would be one on a file system that folds case or composes accents (NFC), or that one path is a
 * file and also the folder of another. Undefined when there are none.
 */
export function findCollision(paths: readonly string[]): string | undefined {
  const seen = new Map<string, string>();
  for (const path of paths) {
    const folded = foldPath(path);
    const other = seen.get(folded);
    if (other === path) return `${JSON.stringify(path)} is listed twice`;
    if (other !== undefined)
      return `${JSON.stringify(path)} and ${JSON.stringify(other)} differ in case or accents only`;
    seen.set(folded, path);
  }
  return folderCollision(seen);
}

/**
 * Whether a link at `path` with this target stays below `app/` or `config/`, whichever it is in. `..` may only lead:
 * the folders above a link are real ones, while `x/..` leads anywhere when `x` is a link too.
 */
export function linkStaysInside(path: string, target: string): boolean {
  if (target === '' || target.startsWith('/') || /[\\\p{Cc}]/u.test(target)) return false;
  const parts = target.split('/').filter((part) => part !== '' && part !== '.');
  const ups = parts.lastIndexOf('..') + 1;
  // Depth below the part's own folder; a link in `app/` itself is at depth 0.
  const depth = path.split('/').length - 2;
  return ups <= depth && parts.slice(0, ups).every((part) => part === '..');
}

/** Code-unit order, as `<` on strings and `Array.sort` without a comparator have it. */
export function comparePaths(a: { path: string }, b: { path: string }): number {
  if (a.path === b.path) return 0;
  return a.path < b.path ? -1 : 1;
}

function foldPath(path: string): string {
  // Most paths are ASCII, where normalising changes nothing and costs most of the time.
  return /^[ -~]*$/.test(path) ? path.toLowerCase() : path.normalize('NFC').toLowerCase().normalize('NFC');
}

/** Folders count under their folded names too: `Lib/a` beside `lib/b` would be one folder elsewhere. */
function folderCollision(leaves: ReadonlyMap<string, string>): string | undefined {
  const folders = new Map<string, string>();
  let last = '';
  for (const [folded, path] of leaves) {
    let end = folded.lastIndexOf('/');
    let ownEnd = path.lastIndexOf('/');
    // In order, most are in the folder of the one before.
    if (ownEnd === last.length && path.startsWith(last)) continue;
    last = path.slice(0, Math.max(ownEnd, 0));
    while (end > 0) {
      const folder = folded.slice(0, end);
      const own = path.slice(0, ownEnd);
      const known = folders.get(folder);
      if (known === own) break;
      if (known !== undefined)
        return `${JSON.stringify(own)} and ${JSON.stringify(known)} differ in case or accents only`;
      if (leaves.has(folder)) return `${JSON.stringify(own)} is a file and a folder`;
      folders.set(folder, own);
      end = folded.lastIndexOf('/', end - 1);
      ownEnd = path.lastIndexOf('/', ownEnd - 1);
    }
  }
  return undefined;
}

function checkOrder(entries: readonly { path: string }[]): void {
  for (let i = 1; i < entries.length; i++) {
    const [before, here] = [entries[i - 1], entries[i]];
    if (before === undefined || here === undefined || comparePaths(before, here) < 0) continue;
    if (before.path === here.path) throw new SlError('E_MANIFEST', `${JSON.stringify(here.path)} is listed twice`);
    throw new SlError('E_MANIFEST', `${JSON.stringify(here.path)} is out of order`);
  }
}
