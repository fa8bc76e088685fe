import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { readFileIfAny, writeFileDurable } from '@silverlining/system';
import { activeMapText, instancesMapText } from '../../core/release/maps.ts';
import type { ReleasePaths } from '../../core/release/paths.ts';
import type { ProxyFiles } from '../../release-ports.ts';

/** The files that Apache reads. It sees each change by the file's time and needs no reload. */
export async function createProxyFiles(
  paths: Pick<ReleasePaths, 'proxy' | 'instancesMap' | 'othersMap' | 'activeMap' | 'ready'>,
): Promise<ProxyFiles> {
  await mkdir(paths.proxy, { recursive: true, mode: 0o755 });
  return {
    writeInstances: (ports) => replaceQuickly(paths.instancesMap, instancesMapText(ports)),
    writeOthers: (text) => replaceQuickly(paths.othersMap, text),
    writeActive: (active) => writeFileDurable(paths.activeMap, activeMapText(active), 0o644),
    setReady: async (ready) => {
      if (!ready) await rm(paths.ready, { force: true });
      else if ((await readFileIfAny(paths.ready)) === undefined)
        await writeFile(paths.ready, 'ready\n', { mode: 0o644 });
    },
    removeAll: async () => {
      await rm(paths.ready, { force: true });
      for (const path of [paths.instancesMap, paths.othersMap, paths.activeMap]) await replaceQuickly(path, '');
    },
  };
}

/** Whole or not at all for readers, but not on disk yet: the map of instances is made anew when the agent starts. */
async function replaceQuickly(path: string, content: string): Promise<void> {
  const temporary = `${path}.new`;
  await writeFile(temporary, content, { mode: 0o644 });
  await rename(temporary, path);
}
