import type { Resource } from '@silverlining/protocol';
import {
  chmod,
  chown,
  linkDurable,
  readFile,
  readlink,
  removeTemporariesOf,
  writeFileDurable,
} from '@silverlining/system';
import {
  type Original,
  type OriginalFolder,
  type OriginalUnit,
  originalUnit,
  untouched,
} from '../../core/converge/originals.ts';
import { type UnitState, unitSteps } from '../../core/converge/unit-state.ts';
import type { StateFile } from '../../ports.ts';
import { removeTree } from '../remove-tree.ts';
import { lookAt } from './attributes.ts';
import { writeBlock } from './block.ts';

export interface Originals {
  /**
   * Keeps what the resources are about to change, once and for all: what is kept already stays as it is. Before packages
   * come only `units` can be looked at; the files that they bring are originals too.
   */
  keep(resources: readonly Resource[], what: 'units' | 'everything'): Promise<void>;
  /** Puts back what was there. Goes on after what cannot be put back and returns what that is, for people. */
  putBack(): Promise<string[]>;
}

/** What systemd is asked and told. */
export interface UnitControl {
  show(names: readonly string[]): Promise<Map<string, UnitState>>;
  /** Stops and disables them. */
  end(names: readonly string[]): Promise<void>;
  reloadDaemon(): Promise<void>;
  act(action: 'enable' | 'disable' | 'stop' | 'restart' | 'try-restart', name: string): Promise<void>;
}

export interface OriginalFiles {
  file: StateFile<Original[]>;
  folders: StateFile<OriginalFolder[]>;
}

export function createOriginals({ file, folders }: OriginalFiles, units: UnitControl, root = ''): Originals {
  return {
    async keep(resources, what) {
      const kept = await file.read();
      const touched = untouched(resources, kept);
      const found = await lookAtUnits(touched.units, units);
      if (what === 'everything') {
        found.push(...touched.blocks.map((it): Original => ({ kind: 'block', ...it })));
        for (const path of touched.paths) found.push(...(await lookAtPath(root, path)));
        await keepFolders(folders, root, touched.paths);
      }
      if (found.length > 0) await file.write([...kept, ...found]);
    },
    async putBack() {
      const kept = (await file.read()).reverse();
      const unitsBefore = kept.filter((it) => it.kind === 'unit');
      // First those that did not run: they may have the ports of those that did.
      const idle = unitsBefore.filter((it) => !it.existed || it.running === false).map((it) => it.name);
      const problems = await attempt('services', () => units.end(idle));
      for (const it of kept)
        if (it.kind !== 'unit') problems.push(...(await attempt(it.path, () => restore(root, it))));
      for (const it of await folders.read()) problems.push(...(await attempt(it.path, () => restoreFolder(root, it))));
      problems.push(...(await attempt('systemd', () => units.reloadDaemon())));
      for (const it of unitsBefore) if (it.existed) problems.push(...(await attempt(it.name, () => resume(units, it))));
      return problems;
    },
  };
}

async function lookAtUnits(names: readonly string[], units: UnitControl): Promise<Original[]> {
  const states = await units.show(names);
  return names.map((name) => originalUnit(name, states.get(name)));
}

/** As it was, also where its role was given up since; with the files that are back. */
async function resume(units: UnitControl, { name, enabled, running }: OriginalUnit): Promise<void> {
  if (enabled === undefined || running === undefined) return units.act('try-restart', name);
  const now = (await units.show([name])).get(name);
  // Somebody removed its package meanwhile.
  if (now === undefined || now.load === 'not-found') return;
  for (const step of unitSteps({ enabled, running }, now)) if (step !== 'start') await units.act(step, name);
  if (running) await units.act('restart', name);
}

/** A folder that is there stays, as `keepFolders` has it, and so does what is in it; nobody keeps a copy of one that is removed. */
async function lookAtPath(root: string, path: string): Promise<Original[]> {
  const found = lookAt(root + path);
  if (found === undefined) return [{ kind: 'nothing', path }];
  if (found.isSymbolicLink()) return [{ kind: 'link', path, target: await readlink(root + path) }];
  if (!found.isFile()) return [];
  const content = (await readFile(root + path)).toString('base64');
  return [{ kind: 'file', path, content, mode: found.mode & 0o7777, uid: found.uid, gid: found.gid }];
}

async function keepFolders(
  folders: StateFile<OriginalFolder[]>,
  root: string,
  paths: readonly string[],
): Promise<void> {
  const kept = await folders.read();
  const known = new Set(kept.map((it) => it.path));
  const found = paths.flatMap((path): OriginalFolder[] => {
    const folder = known.has(path) ? undefined : lookAt(root + path);
    if (!folder?.isDirectory()) return [];
    return [{ path, mode: folder.mode & 0o7777, uid: folder.uid, gid: folder.gid }];
  });
  if (found.length > 0) await folders.write([...kept, ...found]);
}

async function restoreFolder(root: string, { path, mode, uid, gid }: OriginalFolder): Promise<void> {
  if (!lookAt(root + path)?.isDirectory()) return;
  await chown(root + path, uid, gid);
  await chmod(root + path, mode);
}

async function restore(root: string, it: Exclude<Original, { kind: 'unit' }>): Promise<void> {
  const path = root + it.path;
  await removeTemporariesOf(path);
  if (it.kind === 'nothing') return removeTree(path);
  if (it.kind === 'link') return linkDurable(path, it.target);
  if (it.kind === 'block') {
    await writeBlock(root, { ...it, content: '' });
    return;
  }
  await writeFileDurable(path, Buffer.from(it.content, 'base64'), it.mode, { uid: it.uid, gid: it.gid });
}

async function attempt(what: string, act: () => Promise<void>): Promise<string[]> {
  try {
    await act();
    return [];
  } catch (error) {
    return [`${what}: ${error instanceof Error ? error.message : String(error)}`];
  }
}
