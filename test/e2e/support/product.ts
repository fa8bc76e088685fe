/** The product as another version of it: a copy of the sources with a version, a protocol, or an agent of its own. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './sl.ts';

export interface ProductOptions {
  version: string;
  /** This one's when not given. */
  protocol?: { current: number; oldest: number };
  /** A statement that runs before anything else in its agent. */
  agentBegins?: string;
}

/** Returns its folder. `sl` of another version replaces the running controller with its own. */
export async function otherProduct(options: ProductOptions): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `sl-product-${options.version}-`));
  for (const part of ['packages', 'bootstrap', 'package.json']) {
    await cp(join(ROOT, part), join(folder, part), { recursive: true });
  }
  await linkModules(folder);
  await edit(join(folder, 'packages/protocol/src/version.ts'), /VERSION = '.*'/, `VERSION = '${options.version}'`);
  if (options.protocol !== undefined) {
    const { current, oldest } = options.protocol;
    const protocol = `PROTOCOL = { current: ${current}, oldest: ${oldest} }`;
    await edit(join(folder, 'packages/protocol/src/version.ts'), /PROTOCOL = \{.*\}/, protocol);
  }
  if (options.agentBegins !== undefined) {
    await edit(join(folder, 'packages/agent/src/start.ts'), 'runAgent();', `${options.agentBegins}\nrunAgent();`);
  }
  return folder;
}

export function removeProduct(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true });
}

/** Its own packages, and everybody else's of this one. */
async function linkModules(folder: string): Promise<void> {
  const own = join(folder, 'node_modules/@silverlining');
  await mkdir(own, { recursive: true });
  for (const name of await readdir(join(folder, 'packages')))
    await symlink(join(folder, 'packages', name), join(own, name));
  for (const name of await readdir(join(ROOT, 'node_modules'))) {
    if (name !== '@silverlining') await symlink(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  }
}

async function edit(file: string, from: string | RegExp, to: string): Promise<void> {
  const before = await readFile(file, 'utf8');
  const after = before.replace(from, to);
  if (after === before) throw new Error(`${file} has no ${from} to replace`);
  await writeFile(file, after);
}
