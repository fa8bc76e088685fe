import { chmodSync, chownSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { errno, type FileOwner, readFileIfAny, rm, rmdir } from '@silverlining/system';
import type { ReleasePaths } from '../../core/release/paths.ts';
import { environmentFile, parseEnvironmentFile } from '../../core/release/quoting.ts';
import type { AppPlaces } from '../../release-ports.ts';
import { removeTree } from '../remove-tree.ts';
import { namesIn } from './names-in.ts';

export interface PlacesOptions {
  paths: Pick<ReleasePaths, 'env' | 'tmp'>;
  /** The user, made when missing. */
  ensureAccount(user: string): Promise<FileOwner>;
}

/** Users, folders and environment files of instances. */
export function createAppPlaces({ paths, ensureAccount }: PlacesOptions): AppPlaces {
  return {
    ensureUser: async (user) => {
      await ensureAccount(user);
    },
    ensureFolders: async ({ temp, logs, user }) => {
      const owner = await ensureAccount(user);
      await removeTree(temp);
      mkdirSync(dirname(temp), { recursive: true, mode: 0o755 });
      makeOwned(temp, owner, 0o700);
      makeOwned(logs, owner, 0o750);
    },
    writeEnv: async (path, env) => {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writeFileSync(`${path}.new`, environmentFile(env), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    },
    readEnv: async (path) => parseEnvironmentFile((await readFileIfAny(path)) ?? ''),
    remove: async ({ env, temp }) => {
      await rm(env, { force: true });
      await removeTree(temp);
      await removeIfEmpty(dirname(temp));
    },
    sweep: async (keep) => {
      for (const name of namesIn(paths.env)) {
        if (!keep.has(name.replace(/\.env$/, ''))) await rm(`${paths.env}/${name}`, { force: true });
      }
      for (const app of namesIn(paths.tmp)) await sweepTemp(`${paths.tmp}/${app}`, keep);
    },
    removeAll: async () => {
      await rm(paths.env, { recursive: true, force: true });
      await removeTree(paths.tmp);
    },
  };
}

function makeOwned(path: string, owner: FileOwner, mode: number): void {
  mkdirSync(path, { recursive: true, mode: 0o755 });
  chownSync(path, owner.uid, owner.gid);
  chmodSync(path, mode);
}

async function sweepTemp(folder: string, keep: ReadonlySet<string>): Promise<void> {
  for (const name of namesIn(folder)) {
    if (!keep.has(name)) await removeTree(`${folder}/${name}`);
  }
  await removeIfEmpty(folder);
}

async function removeIfEmpty(path: string): Promise<void> {
  try {
    await rmdir(path);
  } catch (error) {
    if (errno(error) !== 'ENOTEMPTY' && errno(error) !== 'ENOENT') throw error;
  }
}
