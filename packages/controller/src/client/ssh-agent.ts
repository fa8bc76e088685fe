import { randomUUID } from 'node:crypto';
import { readlink, rename, rm, symlink } from 'node:fs/promises';
import { resolve } from 'node:path';
import { besideApiSocket } from '../io/api-socket.ts';

/** What the daemon has for SSH_AUTH_SOCK: a link to the SSH agent of whoever used `sl` last. One that leads nowhere is no agent. */
export function sshAgentPath(stateDir: string): string {
  return besideApiSocket(stateDir, 'ssh-agent');
}

/**
 * Has the daemon use this session's SSH agent from now on: the one of the session that started it ends with that, while the
 * daemon lives on. A session without an agent changes nothing.
 */
export async function shareSshAgent(stateDir: string, env: NodeJS.ProcessEnv): Promise<void> {
  const link = sshAgentPath(stateDir);
  const agent = env.SSH_AUTH_SOCK && resolve(env.SSH_AUTH_SOCK);
  // What the daemon itself starts has the link for its agent.
  if (!agent || agent === link) return;
  const temporary = `${link}.${randomUUID()}`;
  try {
    if ((await readlink(link).catch(() => undefined)) === agent) return;
    await symlink(agent, temporary);
    await rename(temporary, link);
  } catch {
    // Most commands need no SSH; one that does says that it was not let in.
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}
