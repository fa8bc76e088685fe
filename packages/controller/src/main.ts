/** The controller's daemon: constructs io, hands it to app, and serves until it is told to stop. `start.ts` starts it. */
import { writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SlError, VERSION } from '@silverlining/protocol';
import { keepSmall } from '@silverlining/system';
import { type Logger, pino } from 'pino';
import { type AgentUpdates, createAgentUpdates } from './app/agent-updates.ts';
import { createController } from './app/controller.ts';
import type { ControllerDeps } from './app/deps.ts';
import { enrol } from './app/enrol.ts';
import { listenForAll, listenOnce } from './app/listen.ts';
import { Operations } from './app/operations.ts';
import { putLogAside } from './client/daemon-log.ts';
import { SERVER_NAME } from './core/enrolment.ts';
import { agentProgram } from './io/agent-program.ts';
import { listenOnKeptPort } from './io/agent-server/kept-port.ts';
import { type AgentServer, createAgentServer } from './io/agent-server/server.ts';
import { startApi } from './io/api/server.ts';
import { createArtifacts } from './io/artifacts.ts';
import { openCertificates } from './io/certificates.ts';
import { systemClock } from './io/clock.ts';
import { checkAppConfig } from './io/config-checker.ts';
import { ALREADY_RUNNING_STATUS, claimDaemon } from './io/daemon.ts';
import { type Directories, findDirectories, makeDirectories } from './io/directories.ts';
import { randomIds } from './io/ids.ts';
import { openFilesLimit } from './io/open-files.ts';
import { isAnotherFile } from './io/other-file.ts';
import { createProvider, LocalSite } from './io/provider/index.ts';
import { prepareLocalHost } from './io/provider/local-host.ts';
import { createReleaseSource } from './io/release-source/index.ts';
import { openSigningKey } from './io/signing-key.ts';
import { SshBootstrapper } from './io/ssh/bootstrapper.ts';
import { openStore } from './io/store/store.ts';
import { thisMachine } from './io/this-machine.ts';
import { createWorkstationHosts } from './io/workstation-hosts.ts';
import type { Store } from './ports.ts';

/** What a test build has otherwise. */
export interface Outfit {
  /** Source of the agent's program; the shipped one when not given. */
  agentEntry?: string;
  deps(deps: ControllerDeps): ControllerDeps;
}

/** What thousands of agents say is some work all the time; and a collection among what is known of them takes some tenths of a second. */
const SPARE = { tick: 15_000, idle: 0.6, slack: 48 << 20, full: 1, young: Number.POSITIVE_INFINITY };

/** Milliseconds between looks at the size of the log and the age of the store's copy. */
const LOOK = 600_000;

/** Runs the daemon; ends the process. */
export async function runController(outfit: Outfit = { deps: (deps) => deps }): Promise<never> {
  try {
    await serve(outfit);
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${describe(error)}\n`);
    process.exit(error instanceof SlError && error.code === 'E_CONFLICT' ? ALREADY_RUNNING_STATUS : 1);
  }
}

/** Where a failure that has a code was made helps nobody who reads the log, or the error of `sl` that quotes it. */
function describe(error: unknown): string {
  if (error instanceof SlError && error.code !== 'E_INTERNAL') return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/**
 * Where the disk is full, lines are lost and the controller lives. pino's own destination ends the process, and holds on to
 * it until there is room for the last line.
 */
const LOG = {
  write(line: string): void {
    try {
      writeSync(process.stdout.fd, line);
    } catch {
      // Nowhere to say it.
    }
  },
};

async function serve(outfit: Outfit): Promise<void> {
  const directories = findDirectories();
  await makeDirectories(directories);
  const daemon = await claimDaemon(directories.state, VERSION);
  const log = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, LOG);
  const stop = new AbortController();
  keepSmall({ signal: stop.signal, ...SPARE });
  const store = openStore(join(directories.state, 'store.sqlite'), { warn: (text) => log.warn(text) });
  const startedAt = systemClock.now();
  const agents = await createAgents(directories, store, { log, agentEntry: outfit.agentEntry });
  const operations = new Operations({
    ...{ clock: systemClock, ids: randomIds },
    onDefect: (id, error) => log.error({ id, err: error }, 'an operation failed with a defect'),
  });
  const deps = outfit.deps(makeDeps(directories, store, { agents, log, startedAt }));
  const service = await createController(deps, {
    signal: stop.signal,
    onIdle: () => stop.abort(),
  });
  const sets = async () => (await store.sets()).map((it) => it.name);
  const hasAgents = async () => (await sets()).length > 0;
  const port = await listenOnKeptPort(agents.server, join(directories.state, 'port'), hasAgents);
  agents.listening(port);
  await listenForAll(deps);
  const api = await startApi({
    ...{ service, operations, socketPath: daemon.socketPath, logger: log },
    info: async () => ({ version: VERSION, pid: process.pid, port, upSince: startedAt, sets: await sets() }),
    onShutdown: () => stop.abort(),
  });
  setInterval(() => {
    putLogAside(directories.state);
    if (operations.running().length === 0) store.backUp();
  }, LOOK).unref();
  daemon.watch(() => {
    log.error(`${directories.state} was removed: stopping`);
    // At once: closing its socket would take away that of a controller which began anew in its place.
    process.exit(1);
  });
  log.info({ port, pid: process.pid }, 'the controller serves');

  await untilStopped(stop);
  api.refuse();
  await operations.stop();
  await service.reverted();
  await api.close();
  await agents.server.close();
  store.close();
  await daemon.release();
  log.info('the controller stopped');
}

interface Agents {
  server: AgentServer;
  bootstrapper: SshBootstrapper;
  agentUpdates: AgentUpdates;
  orderKey: string;
  /** 0 until it listens. */
  port(): number;
  listening(port: number): void;
}

async function createAgents(
  directories: Directories,
  store: Store,
  { log, agentEntry }: { log: Logger; agentEntry: string | undefined },
): Promise<Agents> {
  const world = { clock: systemClock, ids: randomIds };
  const authority = join(directories.state, 'ca');
  const certificates = await openCertificates(authority, world);
  const signingKey = await openSigningKey(authority);
  const openFiles = openFilesLimit();
  const server = await createAgentServer({ ...world, store, certificates, signingKey, log, openFiles });
  const artifacts = createArtifacts(directories.cache, agentEntry);
  let listeningOn = 0;
  const bootstrapper = new SshBootstrapper({
    artifacts,
    sign: enrol(store, certificates),
    orderKey: signingKey.publicPem,
    serverName: SERVER_NAME,
    port: () => listeningOn,
  });
  const listening = (port: number) => {
    listeningOn = port;
  };
  const program = () => agentProgram(artifacts);
  const agentUpdates = createAgentUpdates({ ...world, fleet: server.fleet, version: VERSION, program });
  return { server, bootstrapper, agentUpdates, orderKey: signingKey.id, port: () => listeningOn, listening };
}

function makeDeps(
  directories: Directories,
  store: Store,
  { agents, log, startedAt }: { agents: Agents; log: Logger; startedAt: number },
): ControllerDeps {
  const localSite = new LocalSite(directories);
  return {
    ...{ store, fleet: agents.server.fleet, bootstrapper: agents.bootstrapper, clock: systemClock, ids: randomIds },
    ...{
      running: new Map(),
      held: new Set<string>(),
      source: createReleaseSource(directories),
      hosts: createWorkstationHosts(),
      version: VERSION,
      log,
      startedAt,
    },
    providerFor: (set) => createProvider(set.provider, { localSite, baseDirectory: dirname(set.file) }),
    prepareHost: (set, options) => (set.provider.driver === 'local' ? prepareLocalHost(options) : Promise.resolve()),
    capacity: agents.server.capacity,
    url: () => `wss://*:${agents.port()}`,
    thisMachine,
    listen: listenOnce((address) => agents.server.listen(address), agents.port),
    ...{ checkConfig: checkAppConfig, isAnotherFile },
    ...{ orderKey: agents.orderKey, agentUpdates: agents.agentUpdates },
  };
}

/** Until a signal, a shutdown request, or the last set is gone. */
function untilStopped(stop: AbortController): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  return new Promise((resolve) => {
    if (stop.signal.aborted) resolve();
    else stop.signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
