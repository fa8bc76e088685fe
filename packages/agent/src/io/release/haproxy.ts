import { connect } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ActiveMap, SlError } from '@silverlining/protocol';
import { errno, mkdir, removeTemporaries, writeFileDurable } from '@silverlining/system';
import { activeMapText, mapTransaction, parseShownMap, sameMap } from '../../core/release/maps.ts';
import type { ReleasePaths } from '../../core/release/paths.ts';
import { parseServersState } from '../../core/release/servers-state.ts';
import { parseTrafficTable } from '../../core/release/traffic.ts';
import type { BalancerPort } from '../../release-ports.ts';
import { monotonic } from '../clock.ts';

const DEADLINE = 5_000;
/** Milliseconds for the socket to be there: `systemctl reload` returns before HAProxy has taken its new configuration. */
const PATIENCE = 5_000;
const POLL = 50;
/** Milliseconds for a new HAProxy to read its configuration: a large one takes seconds. */
const LOADING = 15_000;
/** Nobody listens: HAProxy does not run, or has not come to it yet. */
const ABSENT: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ECONNREFUSED']);
const MAX_ANSWER = 64 << 20;

export interface BalancerOptions {
  paths: Pick<ReleasePaths, 'balancerMap' | 'holdMap' | 'balancerSocket'>;
  /** Whether HAProxy is about to be replaced by one that reads its files anew. */
  isReloading: () => Promise<boolean>;
  /** Milliseconds. */
  patience?: number;
}

/** The balancer on this node: the map as a file, and HAProxy's copy of it over the runtime socket. */
export async function openBalancer({
  paths,
  isReloading,
  patience = PATIENCE,
}: BalancerOptions): Promise<BalancerPort> {
  // Of an agent that was cut off as it wrote.
  await removeTemporaries(dirname(paths.balancerMap));
  const ask = (command: string) => askHaproxy(paths.balancerSocket, command);
  const askPatiently = (command: string) => askHaproxy(paths.balancerSocket, command, patience);
  return {
    apply: async (active) => {
      // The role makes the folder, and may not have been here yet.
      await mkdir(dirname(paths.balancerMap), { recursive: true });
      // The file first: a HAProxy that is started again, whenever that is, starts with the newest map.
      await writeFileDurable(paths.balancerMap, activeMapText(active), 0o644);
      const reloading = isReloading();
      if (!(await shows(askPatiently, paths.balancerMap, active))) await replaceMap(ask, paths.balancerMap, active);
      // One that had begun to load may have read the file before it was written, and answers only when it is done.
      if (await reloading) await untilLoaded(isReloading);
      if (await shows(askPatiently, paths.balancerMap, active)) return;
      await replaceMap(ask, paths.balancerMap, active);
      if (await shows(ask, paths.balancerMap, active)) return;
      throw new SlError('E_SWITCH', 'HAProxy took the new map, but shows another one');
    },
    // One that does not answer reads the file when it starts.
    differs: async (active) => !(await shows(ask, paths.balancerMap, active).catch(() => true)),
    hold: async (till) => {
      const command = `set map ${paths.holdMap} till ${till}`;
      const answer = (await ask(command)).trim();
      if (answer !== '') throw refused(command, answer);
    },
    table: async () => parseTrafficTable(await ask('show table silver_releases')),
    backends: async () => parseServersState(await askPatiently('show servers state appservers')),
  };
}

async function untilLoaded(isReloading: () => Promise<boolean>): Promise<void> {
  const deadline = monotonic() + LOADING;
  do await sleep(POLL);
  while ((await isReloading()) && monotonic() < deadline);
}

type Ask = (command: string) => Promise<string>;

async function shows(ask: Ask, path: string, active: ActiveMap): Promise<boolean> {
  return sameMap(parseShownMap(await ask(`show map ${path}`)), active);
}

async function replaceMap(ask: Ask, path: string, active: ActiveMap): Promise<void> {
  const prepared = await ask(`prepare map ${path}`);
  const version = Number(/version created: (\d+)/.exec(prepared)?.[1]);
  if (!Number.isInteger(version)) throw refused('prepare map', prepared);
  const { add, commit } = mapTransaction(path, version, active);
  for (const command of [...add, commit]) {
    const answer = (await ask(command)).trim();
    if (answer !== '') throw refused(command.split('\n')[0] ?? '', answer);
  }
}

function refused(command: string, answer: string): SlError {
  return new SlError('E_SWITCH', `HAProxy refused \`${command}\`: ${answer.trim() || 'no answer'}`);
}

/** One command on a connection of its own; HAProxy closes it after the answer. */
async function askHaproxy(socketPath: string, command: string, patience = 0): Promise<string> {
  const deadline = monotonic() + patience;
  for (;;) {
    try {
      return await askOnce(socketPath, command);
    } catch (cause) {
      if (cause instanceof SlError) throw cause;
      const absent = ABSENT.has(errno(cause));
      const why = absent ? 'is not there: HAProxy does not run' : 'failed';
      if (!absent || monotonic() > deadline) throw socketError(socketPath, why, cause);
    }
    await sleep(POLL);
  }
}

/** Throws the system's error when the socket cannot be used. */
function askOnce(socketPath: string, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    let answer = '';
    const fail = (error: unknown) => {
      socket.destroy();
      reject(error);
    };
    socket.setEncoding('utf8');
    socket.setTimeout(DEADLINE, () => fail(socketError(socketPath, `did not answer within ${DEADLINE / 1000} s`)));
    socket.on('error', fail);
    socket.on('data', (chunk: string) => {
      answer += chunk;
      if (answer.length > MAX_ANSWER) fail(socketError(socketPath, 'answered more than it could have'));
    });
    socket.on('end', () => resolve(answer));
    socket.on('connect', () => socket.write(`${command}\n`));
  });
}

function socketError(socketPath: string, why: string, cause?: unknown): SlError {
  return new SlError('E_SWITCH', `HAProxy's socket ${socketPath} ${why}`, { cause });
}
