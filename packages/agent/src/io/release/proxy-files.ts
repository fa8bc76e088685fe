import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  mkdir,
  readFileIfAny,
  readlink,
  removeTemporaries,
  rename,
  rm,
  symlink,
  writeFile,
  writeFileDurable,
} from '@silverlining/system';
import { activeMapText, instancesMapText } from '../../core/release/maps.ts';
import type { ReleasePaths } from '../../core/release/paths.ts';
import type { ProxyFiles } from '../../release-ports.ts';

/** The files that Apache reads. It sees each change by the file's time and needs no reload. */
export async function createProxyFiles(
  paths: Pick<ReleasePaths, 'proxy' | 'instancesMap' | 'othersMap' | 'activeMap' | 'ready' | 'readyFile'>,
): Promise<ProxyFiles> {
  await mkdir(paths.proxy, { recursive: true, mode: 0o755 });
  await removeTemporaries(paths.proxy);
  return {
    writeInstances: (ports) => replaceQuickly(paths.instancesMap, instancesMapText(ports)),
    writeOthers: (text) => replaceQuickly(paths.othersMap, text),
    writeActive: (active) => writeFileDurable(paths.activeMap, activeMapText(active), 0o644),
    setReady: (ready) => (ready ? makeReady(paths) : unmakeReady(paths)),
    removeAll: async () => {
      await unmakeReady(paths);
      for (const path of [paths.instancesMap, paths.othersMap, paths.activeMap]) await replaceQuickly(path, '');
    },
  };
}

type ReadyPaths = Pick<ReleasePaths, 'ready' | 'readyFile'>;

async function makeReady({ ready, readyFile }: ReadyPaths): Promise<void> {
  const target = await readlink(ready).catch(() => undefined);
  if (target === readyFile && existsSync(readyFile)) return;
  await mkdir(dirname(readyFile), { recursive: true });
  await writeFile(readyFile, 'ready\n', { mode: 0o644 });
  // In one step, as an earlier agent may have left a file there, and the node gets requests.
  const temporary = `${ready}.new`;
  await rm(temporary, { force: true });
  await symlink(readyFile, temporary);
  await rename(temporary, ready);
}

/** The link goes, too: Apache complains about one that leads nowhere each time that it is asked. */
async function unmakeReady({ ready, readyFile }: ReadyPaths): Promise<void> {
  await rm(ready, { force: true });
  await rm(readyFile, { force: true });
}

/**
 * Whole or not at all for readers, but not on disk yet: the map of instances is made anew when the agent starts. One that is as it should
 * be stays: it is looked at every few seconds, also on a full disk, and whoever reads it would read it again.
 */
async function replaceQuickly(path: string, content: string): Promise<void> {
  if ((await readFileIfAny(path)) === content) return;
  const temporary = `${path}.new`;
  await writeFile(temporary, content, { mode: 0o644 });
  await rename(temporary, path);
}
