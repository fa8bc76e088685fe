/** A node for the agent's release handling: releases on a real temporary folder; systemd, apps and HAProxy in memory. */
import { isDeepStrictEqual } from 'node:util';
import type { ActiveMap, Role, Topology } from '@silverlining/protocol';
import { SlError } from '@silverlining/protocol';
import { newestLines } from '@silverlining/system';
import { releasePaths } from '../../packages/agent/src/core/release/paths.ts';
import type { TrafficTable } from '../../packages/agent/src/core/release/traffic.ts';
import type { UnitStatus } from '../../packages/agent/src/core/release/unit-status.ts';
import { createAppPlaces } from '../../packages/agent/src/io/release/app-places.ts';
import { openContentStore } from '../../packages/agent/src/io/release/content-store.ts';
import { createExclusive } from '../../packages/agent/src/io/release/exclusive.ts';
import { sha256OfText } from '../../packages/agent/src/io/release/file-hash.ts';
import { openJournals } from '../../packages/agent/src/io/release/journals.ts';
import { createProxyFiles } from '../../packages/agent/src/io/release/proxy-files.ts';
import { createReleaseTree } from '../../packages/agent/src/io/release/release-tree.ts';
import { sendFiles } from '../../packages/agent/src/io/release/send-files.ts';
import { parseListing, readChunkLists } from '../../packages/agent/src/io/release/unpack.ts';
import type { HttpAnswer, HttpQuestion, ReleasePorts } from '../../packages/agent/src/release-ports.ts';
import { NO_MOUNTS } from './mounts.ts';

const me = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

/** What happens on the node, and what the test says of it. */
export class FakeNode {
  roles: Role[] = ['appserver'];
  /** Instances whose unit runs. */
  readonly running = new Set<string>();
  readonly units = new Map<string, string>();
  enabled = new Set<string>();
  /** Answers of apps; by default they are healthy as soon as they run. */
  answer: (question: HttpQuestion) => HttpAnswer | Promise<HttpAnswer> = () => ({ status: 200, body: '' });
  readonly questions: HttpQuestion[] = [];
  /** How often systemd was asked for the status of instances. */
  statusQuestions = 0;
  /** An instance that exits as soon as it starts. */
  crashing = false;
  /** What each instance wrote. */
  log = ['last words'];
  /** What HAProxy goes by; undefined where none runs. */
  balancerMap: ActiveMap | undefined;
  table: TrafficTable = {};
  time = 1_000;
  booted = false;
  readonly warnings: string[] = [];
  readonly scripts: string[][] = [];
}

/** Ports below `root`. A second call on the same folder and node is an agent that was started again. */
export async function fakeReleasePorts(root: string, node: FakeNode): Promise<ReleasePorts> {
  const paths = releasePaths(root);
  const store = await openContentStore(paths.store, async () => me);
  const warn = (message: string) => node.warnings.push(message);
  return {
    store,
    tree: createReleaseTree({
      paths,
      store,
      owners: async () => ({ release: me, config: me }),
      mounts: NO_MOUNTS,
      warn,
    }),
    journals: await openJournals(paths, warn),
    proxy: await createProxyFiles(paths),
    places: createAppPlaces({ paths, ensureAccount: async () => me }),
    units: fakeUnits(node),
    http: fakeHttp(node),
    balancer: {
      apply: async (active) => {
        node.balancerMap = { ...active };
      },
      differs: async (active) => node.balancerMap !== undefined && !isDeepStrictEqual(node.balancerMap, active),
      table: async () => ({ ...node.table }),
      hold: async () => undefined,
      backends: async () => ({}),
    },
    scripts: {
      find: async (_app, argv) => (argv[0] === 'missing' ? undefined : [...argv]),
      run: async ({ argv }) => {
        node.scripts.push([...argv]);
        if (argv[0] === 'failing') throw new SlError('E_UPDATE_FETCH', 'failing failed with exit status 1');
        return ['done'];
      },
    },
    clock: {
      now: () => node.time,
      monotonic: () => node.time,
      sleep: async (ms, signal) => {
        signal.throwIfAborted();
        node.time += ms;
      },
    },
    exclusive: createExclusive(),
    node: { nodeName: 'app1.test', topology: () => topologyOf(node) },
    paths,
    rebooted: async () => node.booted,
    noteBoot: async () => {
      node.booted = false;
    },
    sync: async () => undefined,
    installPackages: async () => undefined,
    parseListing,
    readListing: () => Promise.reject(new SlError('E_MANIFEST', 'tests offer manifests inline')),
    readChunkLists,
    sendFiles,
    sha256: sha256OfText,
    warn,
  };
}

function fakeUnits(node: FakeNode): ReleasePorts['units'] {
  return {
    reload: async () => undefined,
    install: async (instance, text) => {
      node.units.set(instance, text);
    },
    start: async (instance) => {
      node.running.add(instance);
    },
    stop: async (instances, { remove }) => {
      for (const instance of instances) {
        node.running.delete(instance);
        if (remove) node.units.delete(instance);
      }
    },
    currentRun: (instance) => (node.running.has(instance) && !node.crashing ? `run of ${instance}` : undefined),
    status: async (instances) => {
      node.statusQuestions++;
      return new Map(instances.map((instance) => [instance, statusOf(node, instance)]));
    },
    enableOnly: async (instances) => {
      node.enabled = new Set(instances);
    },
    log: async (_instance, _lines, bytes) => newestLines(node.log, bytes),
    installed: async () => [...node.units.keys()],
  };
}

function statusOf(node: FakeNode, instance: string): UnitStatus {
  if (node.crashing)
    return { active: true, failed: true, sub: 'auto-restart', restarts: 1, ended: 'exited with status 3' };
  const active = node.running.has(instance);
  return { active, failed: false, sub: active ? 'running' : 'dead', restarts: 0, ended: '' };
}

function fakeHttp(node: FakeNode): ReleasePorts['http'] {
  return {
    get: async (question, signal) => {
      node.questions.push(question);
      if (node.crashing) throw new SlError('E_APP_UNHEALTHY', 'nothing listens on its port');
      const answer = await node.answer(question);
      if (signal.aborted) throw new SlError('E_ABORTED', 'cancelled');
      return answer;
    },
    isFree: async () => true,
  };
}

function topologyOf(node: FakeNode): Topology {
  return {
    version: 1,
    set: 'test',
    generation: 1,
    baseDomain: 'test',
    setEtcHosts: false,
    nodes: [{ name: 'app1.test', uuid: 'u', address: '10.0.0.1', roles: node.roles }],
    services: [],
    apps: ['blog'],
    locations: [],
    aliases: [],
  };
}
