import { type BigIntStats, type Dirent, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { type ManifestLink, SlError } from '@silverlining/protocol';
import { errno } from '@silverlining/system';
import { badName } from '../../core/release/manifest-build.ts';
import type { Ignore } from '../../core/release/manifest-ignore.ts';
import { unreadable } from './file-content.ts';
import { createSlices } from './slices.ts';

export interface FoundFile {
  /** Path in the manifest. */
  path: string;
  absolute: string;
  stat: BigIntStats;
}
export interface FoundTree {
  files: FoundFile[];
  links: ManifestLink[];
}
export interface TreeRoot {
  /** Absolute folder on this machine. */
  folder: string;
  /** Its part of the release: `app` or `config`. */
  part: string;
  ignore: Ignore;
}

const MAX_PATH = 1024;

/** Everything below a folder that is to be deployed. E_APP_CONFIG names what cannot be. */
export async function walk(root: TreeRoot, signal: AbortSignal): Promise<FoundTree> {
  const found: FoundTree = { files: [], links: [] };
  const slices = createSlices(signal);
  const pending = [''];
  for (let below = pending.pop(); below !== undefined; below = pending.pop()) {
    for (const entry of list(root, below)) {
      const inner = below === '' ? entry.name : `${below}/${entry.name}`;
      if (root.ignore(inner, entry.isDirectory())) continue;
      check(root, entry, inner);
      if (entry.isDirectory()) pending.push(inner);
      else add(found, root, entry, inner);
      await slices();
    }
  }
  return found;
}

function add(found: FoundTree, root: TreeRoot, entry: Dirent, inner: string): void {
  if (entry.isSymbolicLink()) found.links.push(linkAt(root, inner));
  else found.files.push(fileAt(root, inner));
}

function list(root: TreeRoot, below: string): Dirent[] {
  const folder = below === '' ? root.folder : `${root.folder}/${below}`;
  return readable(folder, () => readdirSync(folder, { withFileTypes: true }));
}

function check(root: TreeRoot, entry: Dirent, inner: string): void {
  const path = `${root.folder}/${inner}`;
  const bad = badName(entry.name) ?? kindProblem(entry);
  if (bad !== undefined) throw new SlError('E_APP_CONFIG', `${JSON.stringify(path)} ${bad}`);
  if (inner.length + root.part.length + 1 > MAX_PATH) {
    throw new SlError('E_APP_CONFIG', `${path}: paths of a release have ${MAX_PATH} characters at most`);
  }
}

function kindProblem(entry: Dirent): string | undefined {
  if (entry.isFile() || entry.isDirectory() || entry.isSymbolicLink()) return undefined;
  const kind = entry.isFIFO() ? 'a named pipe' : entry.isSocket() ? 'a socket' : 'a device';
  return `is ${kind}; only files, folders and links can be deployed`;
}

function linkAt(root: TreeRoot, inner: string): ManifestLink {
  const absolute = `${root.folder}/${inner}`;
  return { path: `${root.part}/${inner}`, target: readable(absolute, () => readlinkSync(absolute)) };
}

function fileAt(root: TreeRoot, inner: string): FoundFile {
  const absolute = `${root.folder}/${inner}`;
  const stat = readable(absolute, () => lstatSync(absolute, { bigint: true }));
  if (!stat.isFile()) throw changed(absolute);
  return { path: `${root.part}/${inner}`, absolute, stat };
}

/** What was listed may be gone by now, or lie in a folder that may be listed and not entered. */
function readable<T>(absolute: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw errno(cause) === 'ENOENT' ? changed(absolute, cause) : unreadable(absolute, cause);
  }
}

function changed(absolute: string, cause?: unknown): SlError {
  return new SlError('E_APP_CONFIG', `${absolute} changed while being deployed; try again`, { cause });
}
