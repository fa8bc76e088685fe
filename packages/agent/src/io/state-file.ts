import { dirname } from 'node:path';
import { SlError } from '@silverlining/protocol';
import { makeDirectoryDurable, readFileIfAny, rm, syncPath, writeFileDurable } from '@silverlining/system';
import type * as z from 'zod/mini';
import type { StateFile } from '../ports.ts';

/**
 * A JSON file of the agent's own state, `{version: 1, value}`, durable and readable by root only.
 * A file that does not exist reads as `initial`; one that is damaged is an error, never silently a fresh start. Undefined, where the
 * schema has it, is no file: to forget needs no room.
 */
export function stateFile<T>(path: string, schema: z.ZodMiniType<T>, initial: T): StateFile<T> {
  return {
    async read() {
      const text = await readFileIfAny(path);
      return text === undefined ? initial : parse(path, text, schema);
    },
    async write(value) {
      await makeDirectoryDurable(dirname(path));
      if (value === undefined) {
        await rm(path, { force: true });
        return syncPath(dirname(path));
      }
      await writeFileDurable(path, `${JSON.stringify({ version: 1, value })}\n`);
    },
  };
}

function parse<T>(path: string, text: string, schema: z.ZodMiniType<T>): T {
  try {
    const json: unknown = JSON.parse(text);
    const value = typeof json === 'object' && json !== null && 'value' in json ? json.value : undefined;
    return schema.parse(value);
  } catch (cause) {
    throw new SlError('E_STORE', `${path} is damaged; remove it to start without it`, { cause });
  }
}
