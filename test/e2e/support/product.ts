/** The product as another version of it: a copy of the sources with a version, a protocol, an agent, or a Node of its own. */
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
  /** A line of its agent's unit file, in the section of the service. */
  service?: string;
  /** The Node that its agents run under: the package's version, and its integrity for this architecture. */
  runtime?: { version: string; integrity: string };
}

const NODE_PACKAGE = `node-linux-${process.arch}`;

/** Returns its folder. `sl` of another version replaces the running controller with its own. */
export async function otherProduct(options: ProductOptions): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `sl-product-${options.version}-`));
  for (const part of ['packages', 'bootstrap', 'package.json']) {
    await cp(join(ROOT, part), join(folder, part), { recursive: true });
  }
  await linkModules(folder, options.runtime === undefined ? [] : [NODE_PACKAGE]);
  await edit(join(folder, 'packages/protocol/src/version.ts'), /VERSION = '.*'/, `VERSION = '${options.version}'`);
  if (options.protocol !== undefined) {
    const { current, oldest } = options.protocol;
    const protocol = `PROTOCOL = { current: ${current}, oldest: ${oldest} }`;
    await edit(join(folder, 'packages/protocol/src/version.ts'), /PROTOCOL = \{.*\}/, protocol);
  }
  if (options.agentBegins !== undefined) {
    await edit(join(folder, 'packages/agent/src/start.ts'), 'runAgent();', `${options.agentBegins}\nrunAgent();`);
  }
  if (options.service !== undefined) {
    await edit(join(folder, 'bootstrap/silver-agent.service'), '[Service]', `[Service]\n${options.service}`);
  }
  if (options.runtime !== undefined) {
    const { version, integrity } = options.runtime;
    const runtimes = join(folder, 'packages/controller/src/io/runtimes.ts');
    await edit(runtimes, /RUNTIME_VERSION = '.*'/, `RUNTIME_VERSION = '${version}'`);
    await edit(runtimes, new RegExp(`  ${process.arch}: '.*'`), `  ${process.arch}: '${integrity}'`);
  }
  return folder;
}

export function removeProduct(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true });
}

/** Its own packages, and everybody else's of this one; without those named it has to fetch them. */
async function linkModules(folder: string, without: readonly string[]): Promise<void> {
  const own = join(folder, 'node_modules/@silverlining');
  await mkdir(own, { recursive: true });
  for (const name of await readdir(join(folder, 'packages')))
    await symlink(join(folder, 'packages', name), join(own, name));
  for (const name of await readdir(join(ROOT, 'node_modules'))) {
    if (name === '@silverlining' || without.includes(name)) continue;
    await symlink(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  }
}

async function edit(file: string, from: string | RegExp, to: string): Promise<void> {
  const before = await readFile(file, 'utf8');
  const after = before.replace(from, to);
  if (after === before) throw new Error(`${file} has no ${from} to replace`);
  await writeFile(file, after);
}
