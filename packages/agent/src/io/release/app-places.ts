import { chmod, chown, mkdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errno, type FileOwner, readFileIfAny } from '@silverlining/system';
import type { ReleasePaths } from '../../core/release/paths.ts';
import { environmentFile, parseEnvironmentFile } from '../../core/release/quoting.ts';
import type { AppPlaces } from '../../release-ports.ts';
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
      await rm(temp, { recursive: true, force: true });
      await mkdir(dirname(temp), { recursive: true, mode: 0o755 });
      await makeOwned(temp, owner, 0o700);
      await makeOwned(logs, owner, 0o750);
    },
    writeEnv: async (path, env) => {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await writeFile(`${path}.new`, environmentFile(env), { mode: 0o600 });
      await rename(`${path}.new`, path);
    },
    readEnv: async (path) => parseEnvironmentFile((await readFileIfAny(path)) ?? ''),
    remove: async ({ env, temp }) => {
      await rm(env, { force: true });
      await rm(temp, { recursive: true, force: true });
      await removeIfEmpty(dirname(temp));
    },
    sweep: async (keep) => {
      for (const name of await namesIn(paths.env)) {
        if (!keep.has(name.replace(/\.env$/, ''))) await rm(`${paths.env}/${name}`, { force: true });
      }
      for (const app of await namesIn(paths.tmp)) await sweepTemp(`${paths.tmp}/${app}`, keep);
    },
    removeAll: async () => {
      await rm(paths.env, { recursive: true, force: true });
      await rm(paths.tmp, { recursive: true, force: true });
    },
  };
}

async function makeOwned(path: string, owner: FileOwner, mode: number): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o755 });
  await chown(path, owner.uid, owner.gid);
  await chmod(path, mode);
}

async function sweepTemp(folder: string, keep: ReadonlySet<string>): Promise<void> {
  for (const name of await namesIn(folder)) {
    if (!keep.has(name)) await rm(`${folder}/${name}`, { recursive: true, force: true });
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
