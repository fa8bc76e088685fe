/** `npm run bench`: Silver Lining and its peers side by side, on local nodes. Leaves nothing but its cache and the figures. */
import { mkdir } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { findDirectories, makeDirectories } from '../../packages/controller/src/io/directories.ts';
import { type FileLock, tryLockFile } from '../../packages/controller/src/io/file-lock.ts';
import { clearState, installPackages } from '../e2e/support/machine.ts';
import { ROOT } from '../e2e/support/sl.ts';
import { ansible } from './ansible.ts';
import type { AppShape } from './apps.ts';
import { capistrano } from './capistrano.ts';
import { type Entrant, measureDeploys, operationTitles } from './deploys.ts';
import { mountDisk, removeDisk, trimDisk } from './disk.ts';
import { partText, writeDocument } from './document.ts';
import { type Fleet, findFleet, prepareForPeers } from './fleet.ts';
import { commitNow, describeMachine, machineSize } from './machine.ts';
import { type BenchOptions, readOptions, USAGE } from './options.ts';
import type { Part, ToolResult } from './results.ts';
import { measureRoles, ROLE_OPERATIONS } from './roles.ts';
import { rsync } from './rsync.ts';
import { SET, silverLining, sl, writeServerSet } from './silver-lining.ts';
import { ToolGroup } from './tool-group.ts';

const BASE = '/var/tmp/silverlining-bench';
/** Nodes, tools and apps are on a file system of their own. */
const DISK = join(BASE, 'disk');
const WORK = join(DISK, 'work');
/** Control groups, and the contenders in them besides Silver Lining; those of defaults take their turns with the others. */
const PEERS = [
  { name: 'rsync', make: rsync, isTuned: true },
  { name: 'rsync-defaults', make: rsync, isTuned: false },
  { name: 'capistrano', make: capistrano, isTuned: true },
  { name: 'ansible', make: ansible, isTuned: true },
  { name: 'ansible-defaults', make: ansible, isTuned: false },
] as const;
const PEER_NAMES = PEERS.map(({ name }) => name);
const TOOLS = ['silver', ...PEER_NAMES] as const;
const NEEDS = [
  { file: 'ansible-playbook', package: 'ansible' },
  { file: 'cap', package: 'capistrano' },
  { file: 'rsync', package: 'rsync' },
  { file: 'git', package: 'git' },
  { file: 'mkfs.ext4', package: 'e2fsprogs' },
];

type Tools = Record<(typeof TOOLS)[number], ToolGroup>;

interface Bench {
  options: BenchOptions;
  tools: Tools;
  /** What is measured, before the document changes. */
  commit: string;
  signal: AbortSignal;
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    say(USAGE);
    return 0;
  }
  const options = optionsOf(args);
  if (options === undefined) return 2;
  if (process.getuid?.() !== 0) return fail('the benchmark starts real nodes and needs root: run it with sudo');
  await mkdir(BASE, { recursive: true });
  const lock = await tryLockFile(join(BASE, 'lock'));
  if (lock === undefined) return fail(`another benchmark runs in ${BASE}`);
  const interrupted = new AbortController();
  const interrupt = (name: string) => {
    say(`${name}: stopping`);
    interrupted.abort();
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, interrupt);
  return bench(options, lock, interrupted.signal);
}

async function bench(options: BenchOptions, lock: FileLock, signal: AbortSignal): Promise<number> {
  process.env.XDG_STATE_HOME = join(DISK, 'state');
  process.env.XDG_CACHE_HOME = join(BASE, 'cache');
  await installPackages('the benchmark', say);
  await installPackages('the benchmark', say, NEEDS);
  const tools = await makeTools();
  await clear(tools);
  try {
    await mountDisk(DISK);
    await makeDirectories(findDirectories());
    await measureParts({ options, tools, commit: await commitNow(ROOT), signal });
    return 0;
  } catch (error) {
    return signal.aborted ? 130 : fail(error instanceof Error ? error.message : String(error));
  } finally {
    say('clearing up');
    await clear(tools);
    await Promise.all(Object.values(tools).map((tool) => tool.destroy()));
    await lock.release();
  }
}

/** The tools' control groups, empty. */
async function makeTools(): Promise<Tools> {
  const make = (name: string) => ToolGroup.make(name, join(BASE, 'logs'));
  return Object.fromEntries(await Promise.all(TOOLS.map(async (name) => [name, await make(name)]))) as Tools;
}

/** Nothing of this or an earlier run is running or left. */
async function clear(tools: Tools): Promise<void> {
  await clearState();
  await Promise.all(Object.values(tools).map((tool) => tool.clear()));
  await removeDisk(DISK);
}

async function measureParts(it: Bench): Promise<void> {
  const { options, tools, signal } = it;
  const { shapes, nodes, runs } = options;
  if (shapes.length > 0) {
    const dir = join(WORK, 'set');
    const file = await writeServerSet(dir, { nodes });
    const fleet = await raiseFleet(it, file);
    for (const shape of shapes) {
      const work = () => measureApp(it, { fleet, file, dir, shape });
      await measurePart(it, { name: shape.name, title: shape.title, operations: operationTitles(shape) }, work);
    }
    await tools.silver.run(sl(['down', '--set', SET, '--yes']), signal);
  }
  const part = { name: 'roles', title: 'Role setup: base and app server', operations: ROLE_OPERATIONS };
  if (options.roles) await measurePart(it, part, () => measureRoles({ nodes, runs, work: WORK, tools, say, signal }));
}

async function raiseFleet({ options, tools, signal }: Bench, file: string): Promise<Fleet> {
  say(`starting ${options.nodes} nodes`);
  await tools.silver.run(sl(['check', '-f', file]), signal);
  await tools.silver.run(sl(['up', '-f', file, '--yes']), signal);
  const fleet = await findFleet(SET, join(WORK, 'ssh'));
  say('preparing them for the other tools');
  await prepareForPeers(fleet, PEER_NAMES, signal);
  return fleet;
}

interface AppInput {
  fleet: Fleet;
  file: string;
  dir: string;
  shape: AppShape;
}

function measureApp({ options, tools, signal }: Bench, { fleet, file, dir, shape }: AppInput): Promise<ToolResult[]> {
  const site = { shape, dir: join(dir, 'app/static') };
  const entrants: Entrant[] = [
    { tool: tools.silver, contender: silverLining({ file, site, tool: tools.silver, signal }) },
    ...PEERS.map(({ name, make, isTuned }) => {
      const tool = tools[name];
      return { tool, contender: make({ name, fleet, site, tool, isTuned, signal, scratch: join(WORK, name) }) };
    }),
  ];
  const { runs, tune } = options;
  return measureDeploys({ fleet, site, entrants, runs, tune, tidy: () => trimDisk(DISK), say, signal });
}

type Heading = Pick<Part, 'name' | 'title' | 'operations'>;

/** Measures a part, prints it, and puts it into the document unless it is a try. */
async function measurePart(
  { options, commit }: Bench,
  heading: Heading,
  work: () => Promise<ToolResult[]>,
): Promise<void> {
  const begun = { date: new Date().toISOString().slice(0, 16).replace('T', ' '), load: loadavg()[0] ?? 0 };
  const part: Part = {
    ...heading,
    ...begun,
    commit,
    machine: machineSize(),
    nodes: options.nodes,
    runs: options.runs,
    tools: await work(),
  };
  say(`\n${partText(part)}\n`);
  if (!options.keep) return;
  const file = join(ROOT, 'docs/benchmarks.md');
  await writeDocument(file, { machine: await describeMachine(), part });
  say(`written to ${file}`);
}

function optionsOf(args: readonly string[]): BenchOptions | undefined {
  try {
    return readOptions(args);
  } catch (error) {
    fail(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return undefined;
  }
}

function fail(text: string): number {
  process.stderr.write(`${text}\n`);
  return 1;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

process.exitCode = await main(process.argv.slice(2));
