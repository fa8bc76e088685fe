/** The real controller on a store that outlives it, with the agents of the model as its fleet. */

import { createController } from '../../packages/controller/src/app/controller.ts';
import type { ControllerDeps } from '../../packages/controller/src/app/deps.ts';
import type { Store } from '../../packages/controller/src/ports.ts';
import { type ControllerService, OperationFailed } from '../../packages/controller/src/service.ts';
import { type DeployRecord, SlError } from '../../packages/protocol/src/index.ts';
import { TRUST } from './agent-process.ts';
import type { Life } from './life.ts';
import { ModelFleet } from './model-fleet.ts';
import type { Rules } from './rules.ts';
import { type Shape, scan, setOf, topologyOf } from './server-set.ts';

/** Reads see what is there. Writes take time, and what is killed before has not happened. */
const READS: ReadonlySet<PropertyKey> = new Set<keyof Store>([
  ...(['sets', 'set', 'nodes', 'node', 'releases', 'release', 'deploys', 'deploy', 'secret', 'close'] as const),
]);

export interface ControllerWorld {
  life: Life;
  store: Store;
  rules: Rules;
  shape: Shape;
  /** Content of an app's folder now. */
  version(app: string): number;
  nextId(): number;
}

export class ControllerProcess {
  readonly fleet: ModelFleet;
  readonly life: Life;
  readonly #parts: ControllerWorld;
  #service: ControllerService | undefined;
  readonly #running = new Map<string, AbortController>();

  constructor(parts: ControllerWorld) {
    this.#parts = parts;
    this.life = parts.life;
    this.fleet = new ModelFleet(parts.life, parts.rules);
  }

  /** Agents may connect once it has settled what an earlier one left in doubt. */
  get isListening(): boolean {
    return this.life.alive && this.#service !== undefined;
  }

  get isIdle(): boolean {
    return this.#running.size === 0;
  }

  async start(): Promise<void> {
    const signal = new AbortController().signal;
    this.#service = await createController(this.#deps(), { signal, onIdle: () => undefined });
    this.life.world.note(this.life.name, 'listens');
  }

  deploy(apps: readonly string[]): void {
    const { shape } = this.#parts;
    this.#operate('deploy', (service, op) => service.deploy({ set: setOf(shape), apps: [...apps] }, op));
  }

  rollback(app: string): void {
    const { shape } = this.#parts;
    this.#operate('rollback', (service, op) => service.rollback({ set: setOf(shape).name, app }, op));
  }

  up(): void {
    const set = setOf(this.#parts.shape);
    this.#operate('up', (service, op) => service.up({ set, installHostPackages: false }, op));
  }

  cancel(): void {
    for (const controller of this.#running.values()) controller.abort(new SlError('E_ABORTED', 'cancelled'));
  }

  #operate(
    kind: string,
    act: (
      service: ControllerService,
      op: Parameters<ControllerService['deploy']>[1],
    ) => Promise<{ deploys: DeployRecord[] }>,
  ): void {
    if (this.#service === undefined || !this.life.alive) return;
    const { world } = this.life;
    const operationId = `${kind}-${this.#parts.nextId()}`;
    const controller = new AbortController();
    this.#running.set(operationId, controller);
    world.note(this.life.name, `begins ${operationId}`);
    const op = { operationId, signal: controller.signal, emit: () => undefined };
    const ended = (what: string, deploys: readonly DeployRecord[]) => {
      world.note(this.life.name, `ended ${operationId}: ${what}`);
      this.#running.delete(operationId);
      for (const record of deploys) this.#parts.rules.reported(record);
    };
    act(this.#service, op).then(
      ({ deploys }) => ended(deploys.map((it) => `${it.app} ${it.outcome}`).join(', '), deploys),
      (error: unknown) => {
        const failed = error instanceof OperationFailed;
        const deploys = failed ? (error.result as { deploys: DeployRecord[] }).deploys : [];
        ended(`failed, ${deploys.map((it) => `${it.app} ${it.outcome}`).join(', ')}; ${String(error)}`, deploys);
      },
    );
  }

  #deps(): ControllerDeps {
    const { life, rules } = this.#parts;
    const { world } = life;
    const log = (fields: object, text: string) => world.note(life.name, `${text} ${JSON.stringify(fields)}`);
    const unasked = (): never => {
      throw new SlError('E_INTERNAL', 'nodes of the model lack no contents');
    };
    const parts = { chunks: unasked, pack: unasked, image: unasked, borrow: unasked };
    return {
      store: livingStore(this.#parts.store, life, rules),
      fleet: this.fleet,
      clock: { now: () => world.now, monotonic: () => world.now, sleep: (ms, signal) => life.sleep(ms, signal) },
      ids: { uuid: () => String(this.#parts.nextId()), token: () => String(this.#parts.nextId()) },
      source: { scan: (app) => life.quick(() => scan(app.name, this.#parts.version(app.name))), ...parts },
      held: new Set(),
      checkConfig: () => life.quick(() => undefined),
      isAnotherFile: () => life.quick(() => false),
      startedAt: world.now,
      capacity: 100,
      running: new Map(),
      log: { info: log, warn: log },
      ...workstation(life, this.#parts.shape),
    };
  }
}

/** What `sl up` finds beside the agents: machines that are there and run. */
function workstation(
  life: Life,
  shape: Shape,
): Pick<
  ControllerDeps,
  | 'agentUpdates'
  | 'bootstrapper'
  | 'hosts'
  | 'listen'
  | 'orderKey'
  | 'prepareHost'
  | 'providerFor'
  | 'thisMachine'
  | 'url'
  | 'version'
> {
  const none = () => life.quick(() => undefined);
  const fixed = () => Promise.reject(new SlError('E_PROVIDER', 'machines of the model are not made, and do not go'));
  return {
    ...{
      url: () => 'wss://192.0.2.1:7420',
      thisMachine: () => ({ addresses: new Set(), bootId: '' }),
      version: '0.0.0',
      listen: none,
      prepareHost: none,
    },
    ...{ bootstrapper: { bootstrap: fixed, call: none }, orderKey: TRUST.key },
    agentUpdates: { wanted: none, run: () => life.quick(() => 0) },
    hosts: {
      write: () => life.quick(() => false),
      current: () => life.quick(() => []),
      writable: () => life.quick(() => true),
    },
    providerFor: () => ({
      ...{
        driver: 'model',
        keepsMachines: true,
        onThisMachine: false,
        create: fixed,
        start: fixed,
        destroy: fixed,
        cleanUp: none,
      },
      ...{ sizes: () => life.quick(() => []), images: () => life.quick(() => []) },
      list: () =>
        life.quick(() =>
          topologyOf(shape).nodes.map(({ name, uuid, address }) => ({
            ...{ id: uuid, name, uuid, address, state: 'running' as const },
            ssh: { host: address, port: 22, user: 'root' },
          })),
        ),
    }),
  };
}

/** The store as one life of a controller reaches it. */
function livingStore(store: Store, life: Life, rules: Rules): Store {
  const wrap = (name: keyof Store, args: unknown[]): Promise<unknown> => {
    const method = store[name] as (...args: unknown[]) => Promise<unknown>;
    const act = () => rules.stored(name, args, method.apply(store, args));
    return READS.has(name) ? life.quick(act) : life.call(name, 'in the store', act, { fails: 'E_STORE' });
  };
  return new Proxy(store, {
    get:
      (_target, name) =>
      (...args: unknown[]) =>
        wrap(name as keyof Store, args),
  });
}
