import { dirname } from 'node:path';
import { SlError, type Topology } from '@silverlining/protocol';
import { makeDirectoryDurable, readFileIfAny, writeFileDurable } from '@silverlining/system';
import type * as z from 'zod/mini';
import type { StateFile } from '../ports.ts';

/** `/etc/silverlining/topology.json`: the same text on every node of a set, readable by all. */
export function openTopologyFile(path: string, schema: z.ZodMiniType<Topology>): StateFile<Topology | undefined> {
  return {
    async read() {
      const text = await readFileIfAny(path);
      if (text === undefined) return undefined;
      // The controller pushes it again when the agent says that it has none.
      return schema.safeParse(parseJson(text)).data;
    },
    async write(topology) {
      if (topology === undefined) throw new SlError('E_INTERNAL', 'a topology is never taken back');
      await makeDirectoryDurable(dirname(path), 0o755);
      await writeFileDurable(path, `${JSON.stringify(topology, undefined, 2)}\n`, 0o644);
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
