import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { SlError } from '@silverlining/protocol';

export interface DetachedCommand {
  argv: readonly string[];
  env: NodeJS.ProcessEnv;
  /** Gets the output; what an earlier run wrote is dropped. */
  log: string;
  /** Open files that the command inherits, as its descriptors 3, 4, ... */
  descriptors?: readonly number[];
}

/** Starts a command in a session of its own, so that it outlives this process; resolves once it runs. */
export async function startDetached(command: DetachedCommand): Promise<void> {
  const [file, ...args] = command.argv;
  if (file === undefined) throw new SlError('E_INTERNAL', 'startDetached was called without a command');
  const log = await open(command.log, 'w', 0o600);
  try {
    const stdio = ['ignore' as const, log.fd, log.fd, ...(command.descriptors ?? [])];
    const child = spawn(file, args, { detached: true, env: command.env, stdio });
    await once(child, 'spawn');
    child.unref();
  } catch (cause) {
    throw new SlError('E_PROVIDER', `${file} could not be started`, { cause });
  } finally {
    await log.close();
  }
}
