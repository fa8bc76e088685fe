/** A small set whose controller and agents have failpoints: two app servers behind a balancer, and a load on them. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type DeployRecord,
  type DeploysResult,
  type StatusResult,
  type UpResult,
  VERSION,
  type WireError,
} from '@silverlining/protocol';
import { expect, vi } from 'vitest';
import { daemonLogPath, lastLogLines } from '../../../packages/controller/src/client/daemon-log.ts';
import { connectController, stopController } from '../../../packages/controller/src/client/daemon-process.ts';
import { readDaemonFile } from '../../../packages/controller/src/io/daemon.ts';
import { findDirectories } from '../../../packages/controller/src/io/directories.ts';
import { isRunning } from '../../../packages/controller/src/io/process-identity.ts';
import { armAgent, giveFailpoints, restartAgent } from './agent-failpoints.ts';
import { ask } from './http.ts';
import { judge, startLoad } from './load.ts';
import { type NodeTrace, traceOf } from './node-trace.ts';
import { type TestNode, testNodes } from './nodes.ts';
import { type SlResult, sl, slJson } from './sl.ts';
import { copyExample, type Workspace } from './workspace.ts';

/** Times for a node to come back, and for a poll. */
export const POLL = { timeout: 90_000, interval: 300 };
const ENTRY = fileURLToPath(new URL('../../failpoints/controller.ts', import.meta.url));
const LOG_LINES = 30;
/** Says its release, and notes each update_fetch. */
const SERVER = `import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
const { PORT, SILVER_INSTANCE_NAME: release, SILVER_LOGS: logs } = process.env;
const server = createServer((request, response) => {
  const turn = request.headers['x-silver-update'];
  if (turn !== undefined) appendFileSync(logs + '/updates', release + ' ' + turn + '\\n');
  response.end(release + '\\n');
});
server.listen(Number(PORT), '127.0.0.1');
process.on('SIGTERM', () => server.close(() => process.exit(0)));
`;

export interface Deployed extends SlResult {
  record: DeployRecord | undefined;
  error: (WireError & { details?: Record<string, unknown> }) | undefined;
}

export class FaultSet {
  readonly name: string;
  readonly host: string;
  readonly work: Workspace;
  nodes = new Map<string, TestNode>();
  address = '';
  /** What visitors get. */
  live = '';
  /** Instances that were given up. */
  readonly gone: string[] = [];
  #version = 0;
  /** Of the controller that this set started last. */
  #controller = 0;

  private constructor(name: string, work: Workspace) {
    this.name = name;
    this.host = `${name}.test`;
    this.work = work;
  }

  /** Brings the set up with a controller and agents of the test build. */
  static async up(name: string): Promise<FaultSet> {
    const it = new FaultSet(name, await copyExample('node', name));
    await it.work.edit('silver.ini', 'hello.test', it.host);
    await it.work.edit('silver.ini', /(locations =\n.*\n)/, '$1nodes = 2\n\n[balancer]\n');
    await it.work.write('app/server.js', SERVER);
    const appIni = await it.work.read('app/app.ini');
    await it.work.write('app/app.ini', `${appIni}update_fetch = /update\n`);
    await stopController(findDirectories().state, { force: true });
    await it.startController();
    const { sites } = await slJson<UpResult>(['up', '-f', it.work.file, '--yes']);
    it.address = sites[0]?.address ?? '';
    await it.meetNodes();
    await it.healthy();
    it.live = await it.release();
    return it;
  }

  /** Also those that took another's place: each is given failpoints. */
  async meetNodes(): Promise<void> {
    this.nodes = await testNodes(this.name);
    await Promise.all([...this.nodes.values()].map(giveFailpoints));
  }

  async down(): Promise<void> {
    await sl(['down', '--set', this.name, '--yes']);
    await stopController(findDirectories().state, { force: true });
    await this.work.remove();
  }

  /** Starts the controller of the test build. `SL_CLOCK_AHEAD` (milliseconds) is what its clock is wrong by. */
  async startController(environment: Record<string, string> = {}): Promise<void> {
    const env = { ...process.env, SL_FAILPOINT: `@${this.#controllerFile}`, ...environment };
    const { info, started } = await connectController({
      ...{ directories: findDirectories(), entry: ENTRY, version: VERSION, env },
    });
    if (!started) throw controllerError(`another controller runs, with pid ${info.pid}`);
    this.#controller = info.pid;
  }

  armController(failpoints: string): Promise<void> {
    return writeFile(this.#controllerFile, failpoints);
  }

  /** Those that it has not reached yet. */
  armedInController(): Promise<string> {
    return readFile(this.#controllerFile, 'utf8');
  }

  armAgent(node: string, failpoints: string): Promise<void> {
    return armAgent(this.node(node), failpoints);
  }

  async disarm(): Promise<void> {
    await this.armController('');
    await Promise.all([...this.nodes.keys()].map((name) => this.armAgent(name, '')));
  }

  node(name: string): TestNode {
    const node = this.nodes.get(name);
    if (node === undefined) throw new Error(`no node ${name}`);
    return node;
  }

  /** Deploys a changed app; nothing is expected of how it ends. */
  async deploy(args: readonly string[] = []): Promise<Deployed> {
    this.#version += 1;
    await this.work.write('app/version', `${this.#version}\n`);
    return this.sl(['deploy', '-f', this.work.file, ...args]);
  }

  async sl(args: readonly string[]): Promise<Deployed> {
    const result = await this.#asking(() => sl([...args, '--json']));
    const { deploys, error } = JSON.parse(result.stdout === '' ? '{}' : result.stdout);
    const record: DeployRecord | undefined = deploys?.[0];
    if (record?.outcome === 'aborted') this.gone.push(record.instance);
    return { ...result, record, error };
  }

  /**
   * Does something under load. No request may fail, and none may get the old release after the new one; `mayFail` is for
   * faults of the balancer itself. Afterwards `live` is what the load saw last.
   */
  async underLoad<T>(act: () => Promise<T>, { mayFail = false } = {}): Promise<T> {
    const load = startLoad({ address: this.address, host: this.host, rate: 100, limit: 240_000 });
    let result: T;
    try {
      result = await act();
    } finally {
      // Something has to be logged after it, however quickly it went.
      await ask({ address: this.address, host: this.host }).catch(() => undefined);
      await load.stop();
    }
    const releases = [...new Set(load.log.map((it) => it.release))].filter((it) => it !== '');
    const { failed, stale } = judge(load.log, releases);
    if (!mayFail) expect(failed).toEqual([]);
    expect(stale).toEqual([]);
    expect(load.log.length).toBeGreaterThan(0);
    return result;
  }

  async release(): Promise<string> {
    return (await ask({ address: this.address, host: this.host })).release;
  }

  status(): Promise<StatusResult> {
    return this.#asking(() => slJson<StatusResult>(['status', '-f', this.work.file]));
  }

  deploys(): Promise<DeploysResult> {
    return this.#asking(() => slJson<DeploysResult>(['deploys', '-f', this.work.file]));
  }

  /** Agents that lose their controller again and again wait up to half a minute before they come back; new ones do not. */
  async restartAgents(): Promise<void> {
    await Promise.all([...this.nodes.values()].map(restartAgent));
  }

  async healthy(): Promise<void> {
    // In hooks too, where `expect.poll` is not to be had.
    await vi.waitFor(async () => {
      const states = (await this.status()).nodes.flatMap((it) => [it.state, ...it.reasons]);
      expect(states).toEqual([...this.nodes].map(() => 'healthy'));
    }, POLL);
  }

  /** The same on every node: the release in every map, and one epoch; nothing is held by `sl`. */
  async expectEverywhere(release: string): Promise<void> {
    await this.healthy();
    const traces = await this.traces();
    const epoch = traces[0]?.epoch;
    for (const it of traces) expect(it).toMatchObject({ epoch, active: release });
    expect(traces.flatMap((it) => it.balancer ?? [])).toEqual([release]);
    expect(await this.release()).toBe(release);
    expect((await slJson<{ operations: unknown[] }>(['controller', 'status'])).operations).toEqual([]);
    this.live = release;
  }

  /** No half-written file, and nothing of the instances that were given up. */
  async expectNothingLeft(): Promise<void> {
    await vi.waitFor(async () => {
      const traces = await this.traces();
      expect(traces.flatMap((it) => it.leftovers)).toEqual([]);
    }, POLL);
  }

  traces(): Promise<NodeTrace[]> {
    return Promise.all([...this.nodes.values()].map((node) => traceOf(node, this.gone)));
  }

  /**
   * Asks the controller of the test build, and no other: where it has ended unnoticed `sl` starts the shipped one, which has no
   * failpoints, and no test that follows means anything. It may end while it is asked; that may be the point.
   */
  async #asking<T>(ask: () => Promise<T>): Promise<T> {
    const controller = this.#controller;
    const before = readDaemonFile(findDirectories().state);
    const runs = before?.pid === controller && isRunning(before);
    if (!runs) throw controllerError(`the controller of the test build (pid ${controller}) does not run`);
    const answer = await ask();
    const after = readDaemonFile(findDirectories().state)?.pid;
    if (after !== undefined && after !== controller && controller === this.#controller) {
      throw controllerError(
        `the controller of the test build (pid ${controller}) ended, and sl started one (pid ${after})`,
      );
    }
    return answer;
  }

  get #controllerFile(): string {
    return join(this.work.dir, 'failpoints');
  }
}

/** With the end of the controller's log: who reads of this has no other way to it. */
function controllerError(what: string): Error {
  const { lines } = lastLogLines(daemonLogPath(findDirectories().state), LOG_LINES);
  return new Error([`${what}; the log of the controllers ends with:`, ...lines].join('\n'));
}
