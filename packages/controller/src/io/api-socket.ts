import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { SlError } from '@silverlining/protocol';

/** `sun_path` of unix(7) holds 108 bytes, the last of them a NUL; a longer path is cut off without an error. */
const MAX_SOCKET_PATH = 107;

/**
 * Where the API's socket of a state directory is: in it, or, when that path is too long for a socket, under a name
 * made of its hash in a private folder of the runtime directory.
 */
export function apiSocketPath(stateDir: string, env: NodeJS.ProcessEnv = process.env): string {
  const wanted = join(stateDir, 'controller.sock');
  if (Buffer.byteLength(wanted) <= MAX_SOCKET_PATH) return wanted;
  const hash = createHash('sha256').update(stateDir).digest('hex').slice(0, 24);
  return join(env.XDG_RUNTIME_DIR ?? tmpdir(), `silverlining-${userInfo().uid}`, `${hash}.sock`);
}

/** Makes the socket's folder, and makes sure that it is this user's alone: anybody may write to /tmp. */
export async function makeSocketDirectory(socketPath: string): Promise<void> {
  const directory = dirname(socketPath);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const stat = await lstat(directory);
  if (!stat.isDirectory() || stat.uid !== userInfo().uid) {
    throw new SlError('E_CONTROLLER', `${directory} is not this user's own directory: remove it, and start again`);
  }
  await chmod(directory, 0o700);
}
