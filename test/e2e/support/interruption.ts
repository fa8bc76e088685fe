/** Cuts `sl` or its controller off at a moment of their progress, and looks for what is left of a set. */
import { copyFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { readDaemonFile } from '../../../packages/controller/src/io/daemon.ts';
import { findDirectories } from '../../../packages/controller/src/io/directories.ts';
import { isRunning } from '../../../packages/controller/src/io/process-identity.ts';
import { readNetwork } from '../../../packages/controller/src/io/provider/local-network.ts';
import { hostTraces, type Traces } from './local-state.ts';
import { type SlOptions, type SlResult, sl } from './sl.ts';

export interface CutResult extends SlResult {
  /** Whether the moment came before the command ended. */
  reached: boolean;
}

/** Runs `sl ARGS` and calls `act` once, as soon as its output matches. */
export async function slCutAt(
  args: readonly string[],
  moment: RegExp,
  act: () => void,
  options: SlOptions = {},
): Promise<CutResult> {
  let seen = '';
  let reached = false;
  const onOutput = (text: string) => {
    seen += text;
    if (reached || !moment.test(seen)) return;
    reached = true;
    act();
  };
  return { ...(await sl(args, { ...options, onOutput })), reached };
}

/** Ctrl-C, or another signal, to `sl` itself at that moment. */
export function interruptAt(
  args: readonly string[],
  moment: RegExp,
  signal: NodeJS.Signals = 'SIGINT',
): Promise<CutResult> {
  const interrupt = new AbortController();
  return slCutAt(args, moment, () => interrupt.abort(), { interrupt: interrupt.signal, interruptWith: signal });
}

/** SIGKILL to the controller of this state. */
export function killController(): void {
  const daemon = readDaemonFile(findDirectories().state);
  if (daemon === undefined || !isRunning(daemon)) throw new Error('no controller runs that could be killed');
  process.kill(daemon.pid, 'SIGKILL');
}

/** What others that share the cache left there is not the set's. */
type Before = Traces & { packs: readonly string[] };

/** What has to be known of the local nodes before they are gone, to look for their traces afterwards. */
export async function tracesNow(): Promise<Before> {
  const { state, cache } = findDirectories();
  const packs = await packsIn(cache);
  const uuids = await readdir(join(state, 'local/nodes')).catch(() => []);
  return { uuids, state, packs, network: await readNetwork(join(state, 'local/network.json')) };
}

/** What is left of the only set of this state, as lines to compare: on the machine, in the state, in the store. */
export async function leftovers(set: string, before: Before): Promise<string[]> {
  await controllerGone();
  const { state, cache } = findDirectories();
  const hosts = (await readFile('/etc/hosts', 'utf8')).split('\n');
  const files = (await readdir(state)).filter((name) => !KEPT.has(name));
  return [
    ...(await hostTraces(before)),
    ...hosts.filter((line) => line.includes(set)),
    ...files.map((name) => `${state}/${name}`),
    ...(await packsIn(cache)).filter((name) => !before.packs.includes(name)),
    ...(await storeRows(join(state, 'store.sqlite'), set)),
  ];
}

/** What a controller keeps without any set: its CA, its port, its store and its log. */
const KEPT = new Set(['ca', 'port', 'controller.lock', 'controller.log', 'store.sqlite', 'store.sqlite.backup']);

/** A controller without sets ends by itself. */
async function controllerGone(): Promise<void> {
  const { state } = findDirectories();
  for (let tries = 0; tries < 100; tries += 1) {
    const daemon = readDaemonFile(state);
    if (daemon === undefined) return;
    await sleep(100);
  }
  throw new Error('the controller still runs, though there is no set');
}

/** Rows that name the set. */
async function storeRows(file: string, set: string): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'sl-store-'));
  // Whoever opens a store leaves files beside it: a copy is opened.
  await copyFile(file, join(folder, 'copy'));
  const db = new DatabaseSync(join(folder, 'copy'));
  try {
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
    return tables.flatMap(({ name }) => {
      const rows = db.prepare(`SELECT * FROM ${name}`).all();
      return rows.map((row) => `${name}: ${JSON.stringify(row)}`).filter((row) => row.includes(set));
    });
  } finally {
    db.close();
    await rm(folder, { recursive: true });
  }
}

function packsIn(cache: string): Promise<string[]> {
  return readdir(join(cache, 'packs')).catch(() => []);
}
