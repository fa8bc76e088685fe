/** Who takes part in a history: nodes with their agents, and controllers over one store. Starts, kills and cuts them off. */

import type { Store } from '../../packages/controller/src/ports.ts';
import { type MemoryStore, memoryStore } from '../fakes/memory-store.ts';
import { type Dial, runAgent } from './agent-process.ts';
import { ControllerProcess } from './controller-process.ts';
import type { History } from './history.ts';
import { type Death, Life, Mishaps } from './life.ts';
import { Network } from './network.ts';
import { NodeMachine } from './node-machine.ts';
import { Rules } from './rules.ts';
import { nodeRecords, setOf, topologyOf } from './server-set.ts';
import { World } from './world.ts';

/** How often an agent that could choose goes to a controller that does not know that it is not alone. */
const ASTRAY = 0.2;

export class Cast {
  readonly world: World;
  readonly rules: Rules;
  readonly machines: readonly NodeMachine[];
  /** Whether the controller's state was lost: the nodes may have what it knows nothing of. */
  isForgetful = false;
  /** Whether there were two controllers at a time. */
  hadRivals = false;
  readonly network: Network;
  readonly #history: History;
  readonly #mishaps: Mishaps;
  readonly #agents = new Map<string, Life>();
  readonly #controllers: ControllerProcess[] = [];
  #store = memoryStore();
  readonly #copies: { copy?: MemoryStore; nothing?: MemoryStore } = {};
  readonly #versions = new Map<string, number>();
  #ids = 0;

  constructor(history: History, isTraced: boolean) {
    this.#history = history;
    this.world = new World(history.seed, isTraced);
    this.network = new Network(this.world, history.messages);
    this.#mishaps = new Mishaps(history.mishaps);
    const topology = topologyOf(history.shape);
    this.machines = topology.nodes.map(({ name }) => new NodeMachine(name, topology));
    this.rules = new Rules(this.world, this.machines);
  }

  /** The rows that `sl up` leaves before anything is deployed. */
  async fillStore(): Promise<void> {
    const { shape } = this.#history;
    const set = setOf(shape);
    await this.store.putSet(set.name, set);
    for (const node of nodeRecords(shape)) await this.store.putNode(node);
    await this.store.putTopology(set.name, topologyOf(shape));
    this.#copies.nothing = this.#store.copy();
    this.keepCopy();
  }

  get store(): Store {
    return this.#store;
  }

  keepCopy(): void {
    this.#copies.copy = this.#store.copy();
  }

  /** Nobody can go on with the state that was: whoever did is dead. */
  loseState(to: 'copy' | 'nothing', down: number): void {
    const copy = this.#copies[to]?.copy();
    if (copy === undefined) return;
    for (const process of this.#controllers) this.killController(process, 'kill', down);
    this.world.note('', `the controller's STATE IS LOST, what is left is ${to}`);
    this.#store = copy;
    this.isForgetful = true;
    this.rules.restored(copy.peek(setOf(this.#history.shape).name));
  }

  /** Whether mishaps befall calls and messages. */
  arm(armed: boolean): void {
    this.network.armed = armed;
    this.#mishaps.armed = armed;
  }

  /** The app's folder has something new in it. */
  edit(app: string): void {
    this.#versions.set(app, (this.#versions.get(app) ?? 0) + 1);
  }

  /** 0: the newest; 1: the one before. */
  controller(by: number): ControllerProcess | undefined {
    return this.#controllers.at(-1 - by);
  }

  get isIdle(): boolean {
    return this.#controllers.every((it) => !it.life.alive || it.isIdle);
  }

  /** Whether every agent has said hello to the newest controller after that time. */
  allGreeted(since: number): boolean {
    const fleet = this.controller(0)?.fleet;
    return this.machines.every(({ name }) => (fleet?.session(name)?.connectedAt ?? 0) > since);
  }

  startController(): void {
    this.hadRivals ||= this.#controllers.some((it) => it.life.alive);
    const name = `ctl${this.#controllers.length + 1}`;
    const life = new Life({
      world: this.world,
      name,
      mishaps: this.#mishaps,
      die: (how) => die(how),
      cancel: () => process.cancel(),
    });
    const process = new ControllerProcess({
      ...{ life, store: this.store, rules: this.rules, shape: this.#history.shape },
      version: (app) => this.#versions.get(app) ?? 0,
      nextId: () => ++this.#ids,
    });
    const die = (how: Death): void => this.killController(process, how, 1000);
    this.#controllers.push(process);
    this.world.note(name, 'starts');
    process.start().catch((error: unknown) => {
      this.world.note(name, `did not start: ${String(error)}`);
      die('kill');
    });
  }

  /** A new one is started in its place, unless there is one by then. */
  killController(process: ControllerProcess | undefined, how: Death, down: number): void {
    if (process === undefined || !process.life.alive) return;
    process.life.alive = false;
    this.world.note(process.life.name, how === 'kill' ? 'KILLED' : 'POWER CUT');
    this.network.died(process.life, how);
    this.#restartController(down);
  }

  startAgent(machine: NodeMachine): void {
    machine.boot();
    const { name } = machine;
    const { world } = this;
    const life = new Life({
      ...{ world, name, mishaps: this.#mishaps, die: (how) => this.killAgent(machine, how, 500) },
      trouble: () => (world.now < machine.ailments.disk ? 'no space left' : undefined),
    });
    this.#agents.set(name, life);
    world.note(name, 'starts');
    runAgent({ machine, life, rules: this.rules, dial: this.#dialOf(machine) }).catch((error: unknown) => {
      world.broken(`the agent of ${name} fell over: ${String(error)}`);
    });
  }

  wipe(machine: NodeMachine, down: number): void {
    this.killAgent(machine, 'power', down);
    if (machine.isPowered) return;
    this.world.note(machine.name, 'its DISK IS REPLACED by an empty one');
    machine.wipe();
    this.rules.wiped(machine);
  }

  killAgent(machine: NodeMachine, how: Death, down: number): void {
    const life = this.#agents.get(machine.name);
    if (life === undefined || !life.alive) return;
    life.alive = false;
    this.world.note(machine.name, how === 'kill' ? 'KILLED' : 'POWER CUT');
    if (how === 'power') machine.powerCut();
    this.network.died(life, how);
    this.#restartAgent(machine, down);
  }

  /** Nothing is wrong any more, and nothing more befalls anybody. One controller is left, the newest, to which all connect. */
  heal(how: History['end']): void {
    this.arm(false);
    for (const { ailments } of this.machines) {
      for (const what of ['sick', 'crashes', 'hooks', 'disk', 'balancer', 'cut'] as const) ailments[what] = 0;
    }
    const newest = this.controller(0);
    for (const process of this.#controllers) {
      if (how === 'restart' || process !== newest) this.killController(process, 'kill', 10);
    }
    for (const machine of this.machines) {
      if (how === 'restart') this.killAgent(machine, 'kill', 20);
      else this.network.hop(machine.name);
    }
    // Those too that were down for longer.
    this.#restartController(10);
    for (const machine of this.machines) this.#restartAgent(machine, 20);
  }

  #restartController(after: number): void {
    this.world.after(after, () => {
      if (!this.#controllers.some((it) => it.life.alive)) this.startController();
    });
  }

  #restartAgent(machine: NodeMachine, after: number): void {
    this.world.after(after, () => {
      if (!this.#agents.get(machine.name)?.alive) this.startAgent(machine);
    });
  }

  #dialOf(machine: NodeMachine): Dial {
    return (end) => {
      const listening = this.#controllers.filter((it) => it.isListening);
      const isAstray = listening.length > 1 && this.world.random() < ASTRAY;
      const process = listening.at(isAstray ? -2 : -1);
      if (process === undefined || this.world.now < machine.ailments.cut) return undefined;
      return process.fleet.accept(machine.name, this.network, end);
    };
  }
}
