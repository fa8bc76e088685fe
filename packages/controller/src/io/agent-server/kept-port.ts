import { readFile } from 'node:fs/promises';
import { SlError, toSlError } from '@silverlining/protocol';
import { writeFileDurable } from '@silverlining/system';
import type { AgentServer } from './server.ts';

/**
 * Serves agents at the port that `file` says they were told, as they know no other, and returns it. Without agents, or a file, it is a free
 * one, which the file says from now on. E_CONTROLLER when it cannot be had.
 */
export async function listenOnKeptPort(
  server: Pick<AgentServer, 'listen'>,
  file: string,
  hasAgents: () => Promise<boolean>,
): Promise<number> {
  const kept = Number(await readFile(file, 'utf8').catch(() => ''));
  const port = await server.listen(kept > 0 ? { port: kept } : {}).catch(async (cause: unknown) => {
    if (kept > 0 && !(await hasAgents())) return server.listen({});
    throw kept > 0 ? isTaken(file, cause) : cause;
  });
  if (port !== kept) await writeFileDurable(file, `${port}\n`);
  return port;
}

function isTaken(file: string, cause: unknown): SlError {
  const { code, message } = toSlError(cause);
  const text = `${message}. Agents were told this port, so free it; or remove ${file}, and sl up tells them another one`;
  return new SlError(code, text, { cause });
}
