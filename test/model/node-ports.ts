/** The ports of an agent's releases on a machine of the model, for one life of the agent. */
import { releasePaths } from '../../packages/agent/src/core/release/paths.ts';
import type { UnitStatus } from '../../packages/agent/src/core/release/unit-status.ts';
import { createExclusive } from '../../packages/agent/src/io/release/exclusive.ts';
import { sha256OfText } from '../../packages/agent/src/io/release/file-hash.ts';
import type { ReleasePorts } from '../../packages/agent/src/release-ports.ts';
import { SlError } from '../../packages/protocol/src/index.ts';
import type { Life } from './life.ts';
import { DISK, journals, places, tree } from './node-disk.ts';
import type { NodeMachine } from './node-machine.ts';
import type { Rules } from './rules.ts';

const PATHS = releasePaths();
/** Milliseconds from one crash to the next. */
const CRASH_EVERY = 3_000;

export function nodePorts(machine: NodeMachine, life: Life, rules: Rules): ReleasePorts {
  const { world } = life;
  return {
    journals: journals(machine, life, rules),
    tree: tree(machine, life, rules),
    units: units(machine, life),
    proxy: proxy(machine, life, rules),
    balancer: balancer(machine, life, rules),
    http: http(machine, life, rules),
    places: places(machine, life),
    // Every content is there already: how bytes get to nodes is another test's matter.
    store: {
      lacking: () => [],
      salvage: () => life.quick(() => 0),
      verify: () => life.quick(() => undefined),
      mayHave: () => 1,
      receiveImage: () => life.quick(() => ({ sha256: '', written: Promise.resolve(), manifestText: () => '' })),
      plan: () => life.quick(() => []),
      receive: () => life.quick(() => ({ files: 0, bytes: 0 })),
      collect: () => life.quick(() => 0),
      space: () => life.quick(() => ({ bytes: 2 ** 40, inodes: undefined })),
      removeAll: () => life.quick(() => undefined),
    },
    scripts: { find: () => life.quick(() => undefined), run: () => life.quick(() => []) },
    clock: { now: () => world.now, monotonic: () => world.now, sleep: (ms, signal) => life.sleep(ms, signal) },
    exclusive: createExclusive(),
    node: { nodeName: machine.name, topology: () => (machine.isTold ? machine.topology : undefined) },
    paths: PATHS,
    rebooted: () => life.quick(() => machine.hasBooted),
    noteBoot: () => life.quick(() => void Object.assign(machine, { hasBooted: false })),
    sync: (written) =>
      life.call(
        'sync',
        written === 'anything' ? 'the disk' : written.instance,
        () => {
          for (const [instance, release] of machine.releases)
            if (written === 'anything' || (written.isNew && written.instance === instance)) release.isSynced = true;
        },
        { ms: 5, ...DISK },
      ),
    installPackages: () => life.quick(() => undefined),
    parseListing: () => {
      throw new SlError('E_MANIFEST', 'releases of the model do not come as images');
    },
    readListing: () => Promise.reject(new SlError('E_MANIFEST', 'manifests of the model are small')),
    sendFiles: () => Promise.reject(new SlError('E_NOT_FOUND', 'nodes of the model lack no contents')),
    readChunkLists: () => Promise.reject(new SlError('E_MANIFEST', 'files of the model are small')),
    sha256: sha256OfText,
    warn: (message) => world.note(life.name, `warns: ${message}`),
  };
}

function units(machine: NodeMachine, life: Life): ReleasePorts['units'] {
  const status = (instance: string): UnitStatus => {
    const active = machine.running.has(instance);
    return { active, failed: false, sub: active ? 'running' : 'dead', restarts: 0, ended: '' };
  };
  return {
    reload: () => life.quick(() => undefined),
    install: (instance) => life.call('install', instance, () => void machine.units.add(instance), DISK),
    start: (instance) =>
      life.call(
        'start',
        instance,
        () => {
          const there = machine.units.has(instance) && machine.releases.has(instance);
          if (!there) throw new SlError('E_APP_CRASHED', `${instance} has no unit or no files`);
          machine.running.add(instance);
        },
        { ms: 10, fails: 'E_APP_CRASHED' },
      ),
    stop: (instances, { remove }) =>
      instances.length === 0
        ? life.quick(() => undefined)
        : life.call(
            'stop',
            instances.join(' '),
            () => {
              for (const instance of instances) {
                machine.running.delete(instance);
                if (remove) machine.units.delete(instance);
              }
            },
            { fails: 'E_RESOURCE' },
          ),
    currentRun: (instance) => {
      if (!machine.running.has(instance)) return undefined;
      const isCrashing = life.world.now < machine.ailments.crashes;
      return isCrashing ? `${instance} ${Math.floor(life.world.now / CRASH_EVERY)}` : instance;
    },
    status: (instances) => life.quick(() => new Map(instances.map((it) => [it, status(it)]))),
    enableOnly: (instances) =>
      life
        .call('enable', [...instances].join(' '), () => Object.assign(machine, { enabled: new Set(instances) }))
        .then(ignore),
    log: () => life.quick(() => []),
    installed: () => life.quick(() => [...machine.units]),
  };
}

function proxy(machine: NodeMachine, life: Life, rules: Rules): ReleasePorts['proxy'] {
  return {
    writeInstances: (ports) =>
      sameKeys(ports, machine.served)
        ? life.quick(() => undefined)
        : life
            .call('serve', [...ports.keys()].join(' '), () => Object.assign(machine, { served: new Map(ports) }), DISK)
            .then(ignore),
    writeOthers: () => life.quick(() => undefined),
    writeActive: (active) =>
      life.call(
        'apache',
        mapText(active),
        () => {
          machine.active = active;
          rules.shows(machine, 'apache', active);
        },
        DISK,
      ),
    setReady: (ready) => {
      if (ready === machine.isReady && !machine.isBooting) return life.quick(() => undefined);
      return life.call('ready', String(ready), () => {
        machine.isBooting = false;
        machine.isReady = ready;
      });
    },
    removeAll: () => life.quick(() => undefined),
  };
}

function balancer(machine: NodeMachine, life: Life, rules: Rules): ReleasePorts['balancer'] {
  return {
    async apply(active) {
      await life.call('haproxy-file', mapText(active), () => Object.assign(machine, { routesFile: active }), DISK);
      if (life.world.now < machine.ailments.balancer) throw new SlError('E_SWITCH', 'HAProxy does not answer');
      await life.call(
        'haproxy',
        mapText(active),
        () => {
          machine.routes = active;
          rules.shows(machine, 'haproxy', active);
        },
        { fails: 'E_SWITCH' },
      );
    },
    differs: (active) => life.quick(() => mapText(machine.routes) !== mapText(active)),
    table: () => life.quick(() => ({})),
    hold: () => life.quick(() => undefined),
    backends: () => life.quick(() => ({})),
  };
}

/** Answers of the apps; hooks are the requests that say which turn they are. */
function http(machine: NodeMachine, life: Life, rules: Rules): ReleasePorts['http'] {
  const { ailments, environments, running } = machine;
  const answer = (isBad: boolean) => ({ status: isBad ? 503 : 200, body: '' });
  const instanceAt = (port: number) => [...running].find((it) => environments.get(it) === port);
  return {
    get: ({ port, headers }) => {
      const isHook = headers['X-Silver-Update'] !== undefined;
      return life.call(isHook ? 'hook' : 'ask', `port ${port}`, () => {
        const instance = instanceAt(port);
        if (instance === undefined) throw new SlError('E_APP_UNHEALTHY', 'nothing listens on its port');
        if (!isHook) return answer(life.world.now < ailments.sick);
        rules.hookRan(machine, instance);
        return answer(life.world.now < ailments.hooks);
      });
    },
    isFree: (port) => life.quick(() => instanceAt(port) === undefined),
  };
}

function ignore(): void {}

function sameKeys(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
  return a.size === b.size && [...a].every(([key, port]) => b.get(key) === port);
}

export function mapText(active: Readonly<Record<string, string>>): string {
  return Object.values(active).join(' ') || 'nothing';
}
