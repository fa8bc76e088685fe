import { rmSync, symlinkSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { walk } from './walk.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sl-walk-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('what cannot be looked at, or is another thing by then,', () => {
  /** Something happens after the folder was listed. */
  const walkWhile = (happens: () => void) => {
    const ignore = () => {
      happens();
      return false;
    };
    return walk({ folder: join(folder, 'app'), part: 'app', ignore }, new AbortController().signal);
  };
  const refused = (message: string) => ({ code: 'E_APP_CONFIG', message: expect.stringContaining(message) });
  beforeEach(() => mkdir(join(folder, 'app')));

  it('is named when it is a link that went', async () => {
    const link = join(folder, 'app/link');
    await symlink('x', link);
    await expect(walkWhile(() => rmSync(link))).rejects.toMatchObject(refused(`${link} changed while being deployed`));
  });

  it('is named when it is in a folder that cannot be entered', async () => {
    const app = join(folder, 'app');
    await writeFile(join(app, 'run'), '');
    const enterNothing = () => {
      rmSync(app, { recursive: true });
      symlinkSync('app', app);
    };
    await expect(walkWhile(enterNothing)).rejects.toMatchObject(refused(`${app}/run cannot be read`));
  });
});
