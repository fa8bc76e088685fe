/** Where the bench lives, and the server sets that it is about: files like a user's, of machines that only look real. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Directories, findDirectories, makeDirectories } from '../../../packages/controller/src/io/directories.ts';

const BASE = '/var/tmp/silverlining-scale';
/** A section of a set file has no more nodes; larger fleets are several sets on one controller. */
const SET_NODES = 1_000;
const APP_FILES = 20;

export interface ScaleNode {
  name: string;
  roles: string[];
  /** A loopback address of its own: its agent connects from there, so that no port range limits their number. */
  address: string;
}

export interface ScaleSet {
  name: string;
  file: string;
  /** Folder of its app. */
  app: string;
  nodes: ScaleNode[];
}

export interface Workspace {
  env: NodeJS.ProcessEnv;
  directories: Directories;
  sets: ScaleSet[];
  /** Keys of simulated nodes, kept from run to run. */
  keyFile: string;
  /** What the simulators read: identities. */
  agentsFile: string;
  /** Writes the sets' files anew, with so many aliases: a change that concerns every node. */
  writeSets(aliases: number): Promise<void>;
  clear(): Promise<void>;
}

export async function createWorkspace(agents: number): Promise<Workspace> {
  const base = join(BASE, String(agents));
  const env = { ...process.env, XDG_STATE_HOME: join(base, 'state'), XDG_CACHE_HOME: join(BASE, 'cache') };
  const directories = findDirectories(env);
  const clear = () => rm(base, { recursive: true, force: true });
  await clear();
  await makeDirectories(directories);
  await writeApp(join(base, 'app'));
  const count = Math.ceil(agents / SET_NODES);
  const sets = Array.from({ length: count }, (_, i) => scaleSet(base, i, Math.min(SET_NODES, agents - i * SET_NODES)));
  const writeSets = async (aliases: number) => {
    for (const set of sets) await writeFile(set.file, setText(set, aliases));
  };
  await writeSets(0);
  const keyFile = join(BASE, 'keys.json');
  return { env, directories, sets, keyFile, agentsFile: join(base, 'agents.json'), writeSets, clear };
}

function scaleSet(base: string, index: number, size: number): ScaleSet {
  const name = `scale${index + 1}`;
  const nodes = Array.from({ length: size }, (_, i): ScaleNode => {
    const address = `127.${10 + index}.${(i + 1) >> 8}.${(i + 1) & 255}`;
    if (i === size - 1) return { name: `balancer.${name}.internal`, roles: ['balancer'], address };
    return { name: `app${i + 1}.${name}.internal`, roles: ['appserver'], address };
  });
  return { name, file: join(base, `${name}.ini`), app: join(base, 'app'), nodes };
}

function setText({ name, app, nodes }: ScaleSet, aliases: number): string {
  const hosts = nodes.map((it) => `    ${it.name} ${it.address}`);
  const names = Array.from({ length: aliases }, (_, i) => `alias${i + 1}.${name}.test`);
  return [
    `[general]\nname = ${name}\nset_etc_hosts = false\n`,
    `[provider]\nprovider = hosts\nhosts =\n${hosts.join('\n')}\n`,
    `[appserver]\nnodes = ${nodes.length - 1}\nlocations =\n    http://${name}.test/ pages\n`,
    `[balancer]\nhostnames = ${[`${name}.test`, ...names].join(' ')}\n`,
    `[app:pages]\ndir = ${app}\n`,
  ].join('\n');
}

async function writeApp(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(join(directory, 'static'), { recursive: true });
  await writeFile(join(directory, 'app.ini'), '[production]\napp_name = pages\nplatform = static\n');
  for (let i = 0; i < APP_FILES; i++)
    await writeFile(join(directory, `static/page${i}.html`), `page ${i}\n`.repeat(50));
}
