import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { toSlError } from '@silverlining/protocol';
import {
  errno,
  mkdir,
  readdir,
  readFileIfAny,
  removeTemporaries,
  rm,
  syncPath,
  writeFileDurable,
} from '@silverlining/system';
import type * as z from 'zod/mini';
import { committedMap, instanceJournal, trafficBaseline } from '../../core/release/journal.ts';
import type { ReleasePaths } from '../../core/release/paths.ts';
import type { Journals } from '../../release-ports.ts';

/** What is said of a file that the disk has lost. It must not keep an agent from all that others say. */
const LOST: ReadonlySet<string | undefined> = new Set(['EIO', 'EISDIR', 'EUCLEAN', 'EBADMSG']);

/** The agent's durable memory of releases: small JSON files, replaced whole. */
export async function openJournals(
  paths: Pick<ReleasePaths, 'instances' | 'committed'>,
  warn: (message: string) => void,
): Promise<Journals> {
  const folder = dirname(paths.committed);
  const baselinePath = `${folder}/traffic.json`;
  await mkdir(paths.instances, { recursive: true, mode: 0o700 });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const it of [paths.instances, folder]) await removeTemporaries(it);
  const read = async <T extends z.ZodMiniType>(path: string, schema: T): Promise<z.infer<T> | undefined> => {
    const text = await readFileIfAny(path).catch((error: unknown) => {
      if (!LOST.has(errno(error))) throw error;
      warn(`${path} is damaged and not used: ${toSlError(error).message}`);
      return undefined;
    });
    if (text === undefined) return undefined;
    const parsed = schema.safeParse(parseJson(text));
    if (!parsed.success) warn(`${path} is damaged and not used`);
    return parsed.data;
  };
  const pathOf = (instance: string) => `${paths.instances}/${instance}.json`;

  return {
    all: async () => {
      const names = (await readdir(paths.instances)).filter((name) => name.endsWith('.json')).sort();
      const journals = await Promise.all(names.map((name) => read(`${paths.instances}/${name}`, instanceJournal)));
      return journals.filter((journal) => journal !== undefined);
    },
    put: (journal) => writeFileDurable(pathOf(journal.instance), JSON.stringify(journal)),
    delete: async (instance) => {
      if (!existsSync(pathOf(instance))) return;
      await rm(pathOf(instance), { force: true });
      await syncPath(paths.instances);
    },
    committed: () => read(paths.committed, committedMap),
    writeCommitted: (committed) => writeFileDurable(paths.committed, JSON.stringify(committed)),
    baseline: () => read(baselinePath, trafficBaseline),
    writeBaseline: (baseline) => writeFileDurable(baselinePath, JSON.stringify(baseline)),
    removeAll: async () => {
      await rm(paths.instances, { recursive: true, force: true });
      await rm(paths.committed, { force: true });
      await rm(baselinePath, { force: true });
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
