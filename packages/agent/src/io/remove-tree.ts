import { readdirSync, readFileSync, realpathSync, rmdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { SlError } from '@silverlining/protocol';
import { exec, rm } from '@silverlining/system';
import { lookAt } from './resources/attributes.ts';

/** Milliseconds for a folder of millions of files. */
const DEADLINE = 300_000;
/** The mounts of this process, a line each. */
const MOUNTS = '/proc/self/mountinfo';

/**
 * Removes what is at the path. By a program that holds on to the folders on its way down: Node goes by paths, and whoever owns a folder
 * can put a link in the place of one below it meanwhile, which could have root remove anything. It takes less, too: with thirty thousand
 * files Node needs more than a second of this process, and 60 MB of its memory. What is mounted below is somebody else's: nothing is
 * removed then (E_RESOURCE). A folder on which something is mounted itself can only be emptied.
 */
export async function removeTree(path: string, mountinfo = MOUNTS): Promise<void> {
  const found = lookAt(path);
  if (found === undefined) return;
  if (!found.isDirectory()) return rm(path, { force: true });
  try {
    // Nothing is below it that anybody could exchange.
    return rmdirSync(path);
  } catch {
    // Something is in it, or mounted on it.
  }
  const points = mountPoints(path, mountinfo);
  const below = points.find((it) => it !== '');
  if (below !== undefined) {
    throw new SlError('E_RESOURCE', `${path} was not removed: something is mounted at ${path}${below}`);
  }
  try {
    await exec(['rm', '--recursive', '--force', '--', path], { deadline: DEADLINE, code: 'E_RESOURCE' });
  } catch (error) {
    if (points.length === 0 || readdirSync(path).length > 0) throw error;
  }
}

/** Of mounts at the path and below, what they have behind it. */
function mountPoints(path: string, mountinfo: string): string[] {
  // As the kernel knows it, which writes blanks and backslashes as octal numbers.
  const real = join(realpathSync(dirname(path)), basename(path)).replace(/[ \t\n\\]/g, escaped);
  const points = readFileSync(mountinfo, 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '');
  return points.filter((it) => it === real || it.startsWith(`${real}/`)).map((it) => it.slice(real.length));
}

function escaped(char: string): string {
  return `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`;
}
