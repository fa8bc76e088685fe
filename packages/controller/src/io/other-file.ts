import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';

/** Whether there is a file at `path`, and it is not the one at `than` by another name. */
export async function isAnotherFile(path: string, than: string): Promise<boolean> {
  const [one, other] = await Promise.all([path, than].map(statOf));
  return one !== undefined && !(one.dev === other?.dev && one.ino === other.ino);
}

/** Of what cannot be looked at, nothing is said. */
function statOf(path: string): Promise<Stats | undefined> {
  return stat(path).catch(() => undefined);
}
