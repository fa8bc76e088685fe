/** What makes a process the one controller of a state directory: its lock, and the file that says where to find it. */
import { readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SlError } from '@silverlining/protocol';
import { writeFileDurable } from '@silverlining/system';
import * as z from 'zod/mini';
import { apiSocketPath } from './api-socket.ts';
import { tryLockFile } from './file-lock.ts';
import { identifyProcess, type ProcessIdentity } from './process-identity.ts';

/** Exit status of a daemon that found another one at work; whoever started it goes on waiting for that one. */
export const ALREADY_RUNNING_STATUS = 75;

const daemonFile = z.object({
  version: z.string(),
  pid: z.int().check(z.positive()),
  started: z.string(),
  socket: z.string(),
});
export type DaemonFile = z.infer<typeof daemonFile>;

export interface Daemon {
  /** Where its API has to listen. */
  socketPath: string;
  /** Calls back once the file is gone or another process's: the state directory was removed, and what this one does is remembered nowhere. */
  watch(onGone: () => void, every?: number): void;
  /** Removes the file and the socket, and lets the next one in. */
  release(): Promise<void>;
}

/** Milliseconds between looks at the file. */
const LOOK = 10_000;

/**
 * Becomes the controller of the state directory, and says so in its file; E_CONFLICT when another process is. Clients
 * take it for started when the API answers.
 */
export async function claimDaemon(stateDir: string, version: string): Promise<Daemon> {
  const lock = await tryLockFile(join(stateDir, 'controller.lock'));
  if (lock === undefined) {
    const pid = readDaemonFile(stateDir)?.pid;
    const who = pid === undefined ? 'another controller' : `the controller with pid ${pid}`;
    throw new SlError('E_CONFLICT', `${who} is at work in ${stateDir} (sl controller status)`, { details: { pid } });
  }
  const socketPath = apiSocketPath(stateDir);
  await writeDaemonFile(stateDir, { version, ...ownIdentity(), socket: socketPath });
  let timer: NodeJS.Timeout | undefined;
  return {
    socketPath,
    watch: (onGone, every = LOOK) => {
      timer = setInterval(() => {
        if (!isGone(stateDir)) return;
        clearInterval(timer);
        onGone();
      }, every).unref();
    },
    release: async () => {
      clearInterval(timer);
      await rm(daemonFilePath(stateDir), { force: true });
      await rm(socketPath, { force: true });
      await lock.release();
    },
  };
}

/** What the running or last controller published; undefined when there is none that can be read. */
export function readDaemonFile(stateDir: string): DaemonFile | undefined {
  try {
    return daemonFile.parse(JSON.parse(readFileSync(daemonFilePath(stateDir), 'utf8')));
  } catch {
    // Absent, or of another version: both ways there is nobody to talk to at a known place.
    return undefined;
  }
}

/** A file that cannot be looked at right now says nothing. */
function isGone(stateDir: string): boolean {
  try {
    if (statSync(daemonFilePath(stateDir), { throwIfNoEntry: false }) === undefined) return true;
  } catch {
    return false;
  }
  const pid = readDaemonFile(stateDir)?.pid;
  return pid !== undefined && pid !== process.pid;
}

function writeDaemonFile(stateDir: string, file: DaemonFile): Promise<void> {
  return writeFileDurable(daemonFilePath(stateDir), `${JSON.stringify(file)}\n`);
}

function daemonFilePath(stateDir: string): string {
  return join(stateDir, 'controller.json');
}

function ownIdentity(): ProcessIdentity {
  return identifyProcess(process.pid) ?? { pid: process.pid, started: '' };
}
