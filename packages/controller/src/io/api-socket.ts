import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { SlError } from '@silverlining/protocol';
import { errno } from '@silverlining/system';
import { ownUid } from './directories.ts';

/** `sun_path` of unix(7) holds 108 bytes, the last of them a NUL; a longer path is cut off without an error. */
const MAX_SOCKET_PATH = 107;
/** Its name in the state directory, which is private. Anywhere else it is called after a hash. */
const NAME = 'controller.sock';
const OTHERS_MAY_WRITE = 0o022;

/**
 * Where the API's socket of a state directory is: in it, or, when that path is too long for a socket, under a name
 * made of its hash in a private folder of the runtime directory.
 */
export function apiSocketPath(stateDir: string, env: NodeJS.ProcessEnv = process.env): string {
  const wanted = join(stateDir, NAME);
  if (Buffer.byteLength(wanted) <= MAX_SOCKET_PATH) return wanted;
  const hash = createHash('sha256').update(stateDir).digest('hex').slice(0, 24);
  return join(env.XDG_RUNTIME_DIR || tmpdir(), `silverlining-${ownUid()}`, `${hash}.sock`);
}

/** Another socket's path in the same folder, no longer than that of the API: `name` may have ten characters. */
export function besideApiSocket(stateDir: string, name: string): string {
  const path = apiSocketPath(stateDir);
  const inState = basename(path) === NAME;
  return join(dirname(path), inState ? `${name}.sock` : `${basename(path, '.sock')}.${name}`);
}

/** Makes the socket's folder, and makes sure that it is this user's alone: anybody may write to /tmp. */
export async function makeSocketDirectory(socketPath: string): Promise<void> {
  const directory = dirname(socketPath);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  if (basename(socketPath) === NAME) return;
  const stat = await lstat(directory);
  if (!stat.isDirectory() || stat.uid !== ownUid()) throw notOwn(directory);
  await chmod(directory, 0o700);
}

/**
 * Whether the socket's folder exists. E_CONTROLLER when another user may have made the socket in it: what a client says has
 * secrets, and the path of a folder in /tmp can be guessed.
 */
export async function hasSocketDirectory(socketPath: string): Promise<boolean> {
  if (basename(socketPath) === NAME) return true;
  const directory = dirname(socketPath);
  const stat = await lstat(directory).catch((error: unknown) => {
    if (errno(error) !== 'ENOENT') throw notOwn(directory, error);
  });
  if (stat === undefined) return false;
  const isOwn = stat.isDirectory() && stat.uid === ownUid() && (stat.mode & OTHERS_MAY_WRITE) === 0;
  if (!isOwn) throw notOwn(directory);
  return true;
}

function notOwn(directory: string, cause?: unknown): SlError {
  const text =
    `${directory}, for the controller's socket, is not a directory that this user alone may write to: somebody else may listen there. ` +
    'Remove it if you can, or set XDG_RUNTIME_DIR to a private folder, or XDG_STATE_HOME to a shorter path';
  return new SlError('E_CONTROLLER', text, { cause });
}
