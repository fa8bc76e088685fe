/** A copy of an example in a folder of its own, so that a test can change its files. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './sl.ts';

export interface Workspace {
  dir: string;
  /** Its silver.ini. */
  file: string;
  read(path: string): Promise<string>;
  write(path: string, content: string | Uint8Array): Promise<void>;
  /** Replaces text that has to be there. */
  edit(path: string, from: string | RegExp, to: string): Promise<void>;
  remove(): Promise<void>;
}

/** Copies `examples/NAME` and gives the set a name of the test's own. */
export async function copyExample(name: string, set: string): Promise<Workspace> {
  const dir = await mkdtemp(join(tmpdir(), `sl-${set}-`));
  await cp(join(ROOT, 'examples', name), dir, { recursive: true });
  const it = workspace(dir);
  await it.edit('silver.ini', /^name = .*$/m, `name = ${set}`);
  return it;
}

/** Copies `test/fixtures/NAME`. */
export async function copyFixture(name: string): Promise<Workspace> {
  const dir = await mkdtemp(join(tmpdir(), `sl-${name}-`));
  await cp(join(ROOT, 'test/fixtures', name), dir, { recursive: true });
  return workspace(dir);
}

export function workspace(dir: string): Workspace {
  const path = (relative: string) => join(dir, relative);
  const read = (relative: string) => readFile(path(relative), 'utf8');
  const write = (relative: string, content: string | Uint8Array) => writeFile(path(relative), content);
  return {
    dir,
    file: path('silver.ini'),
    read,
    write,
    async edit(relative, from, to) {
      const before = await read(relative);
      const after = before.replace(from, to);
      if (after === before) throw new Error(`${relative} has no ${from} to replace`);
      await write(relative, after);
    },
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}
