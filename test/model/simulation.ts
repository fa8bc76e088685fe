/** Plays a history: what it says happens, then faults stop, and the set has to come to what its row says. */
import { Cast } from './cast.ts';
import type { Act, History } from './history.ts';
import { appNames, setOf } from './server-set.ts';
import type { World } from './world.ts';

/** Milliseconds in which everything has to be as the row says once faults have stopped. */
const QUIET = 300_000;
/** Longer than any deadline of an operation. */
const OPERATION = 700_000;

type Acts = { [K in Act['do']]: (act: Extract<Act, { do: K }>) => void };

export class Simulation {
  readonly #history: History;
  readonly #cast: Cast;

  constructor(history: History, isTraced = false) {
    this.#history = history;
    this.#cast = new Cast(history, isTraced);
  }

  get world(): World {
    return this.#cast.world;
  }

  /** Resolves with the rule that was broken, if any. */
  async run(): Promise<string | undefined> {
    await this.#begin();
    this.#cast.arm(true);
    for (const { after, act } of this.#history.acts) {
      await this.#pass(after);
      this.#act(act);
    }
    await this.#pass(200);
    const { end } = this.#history;
    this.world.note('', `--- faults stop, all ${end}`);
    this.#cast.heal(end);
    const { now } = this.world;
    await this.#pass(OPERATION, () => this.#cast.allGreeted(now) && this.#cast.isIdle);
    // What could not be written is tried again.
    await this.#pass(2000);
    await this.#mend();
    await this.#settleDown();
    await this.#deployOnceMore();
    return this.world.violation;
  }

  async #begin(): Promise<void> {
    await this.#cast.fillStore();
    this.#cast.startController();
    await this.#pass(10);
    for (const machine of this.#cast.machines) this.#cast.startAgent(machine);
    await this.#pass(100);
    if (!this.#history.isWarm) return;
    this.#cast.controller(0)?.deploy(appNames(this.#history.shape));
    await this.#pass(OPERATION, () => this.#cast.isIdle);
  }

  /** Lets time pass, and looks after each step at what visitors get. */
  async #pass(ms: number, done?: () => boolean): Promise<void> {
    await this.world.pass(ms, () => {
      this.#cast.rules.visitorsAreServed();
      return done?.() ?? false;
    });
  }

  #act<A extends Act>(act: A): void {
    this.world.note('', `--- ${JSON.stringify(act)}`);
    // The table pairs each act with what does it, which the compiler cannot follow through the index.
    const run = this.#acts[act.do] as (act: A) => void;
    run(act);
  }

  readonly #acts: Acts = {
    deploy: ({ apps, by }) => {
      const all = appNames(this.#history.shape);
      const wanted = all.filter((_, i) => apps.includes(i % 2));
      for (const app of wanted) this.#cast.edit(app);
      if (wanted.length > 0) this.#cast.controller(by)?.deploy(wanted);
    },
    rollback: ({ app, by }) => {
      const all = appNames(this.#history.shape);
      this.#cast.controller(by)?.rollback(all[app % all.length] ?? '');
    },
    cancel: ({ by }) => this.#cast.controller(by)?.cancel(),
    up: () => this.#cast.controller(0)?.up(),
    copy: () => this.#cast.keepCopy(),
    'lose state': ({ to, down }) => this.#cast.loseState(to, down),
    'second controller': () => this.#cast.startController(),
    'kill controller': ({ by, how, down }) => this.#cast.killController(this.#cast.controller(by), how, down),
    'kill agent': ({ node, how, down }) => this.#cast.killAgent(this.#machine(node), how, down),
    wipe: ({ node, down }) => this.#cast.wipe(this.#machine(node), down),
    cut: ({ node, ms }) => {
      const machine = this.#machine(node);
      machine.ailments.cut = this.world.now + ms;
      this.#cast.network.cut(machine.name);
    },
    hop: ({ node }) => this.#cast.network.hop(this.#machine(node).name),
    ail: ({ node, what, ms }) => {
      this.#machine(node).ailments[what] = this.world.now + ms;
    },
  };

  #machine(index: number) {
    const { machines } = this.#cast;
    const machine = machines[index % machines.length];
    if (machine === undefined) throw new Error('a history without nodes');
    return machine;
  }

  /**
   * Nodes that lost what is live get it back by `sl up`, a controller that lost its state comes together with them, and what a rival
   * of it was doing when it died is ended.
   */
  async #mend(): Promise<void> {
    const wiped = this.#cast.machines.filter((it) => it.isWiped);
    const isNeeded = wiped.length > 0 || this.#cast.isForgetful || this.#cast.hadRivals;
    if (!isNeeded || this.world.violation !== undefined) return;
    this.#cast.controller(0)?.up();
    await this.#pass(OPERATION, () => this.#cast.isIdle);
    for (const machine of wiped) machine.isWiped = false;
  }

  async #settleDown(): Promise<void> {
    if (this.world.violation !== undefined) return;
    const { rules } = this.#cast;
    let problem: string | undefined = 'it did not';
    await this.#pass(QUIET, () => {
      problem = rules.unsettled();
      return problem === undefined;
    });
    if (problem !== undefined) this.world.broken(`after all have talked, ${problem}`);
  }

  /** Nothing that happened keeps the next deploy from succeeding. */
  async #deployOnceMore(): Promise<void> {
    if (this.world.violation !== undefined) return;
    const { epoch } = this.#cast.rules.row;
    this.#act({ do: 'deploy', apps: [0, 1], by: 0 });
    await this.#pass(OPERATION, () => this.#cast.isIdle);
    if (this.#cast.rules.row.epoch !== epoch + 1) this.world.broken('the next deploy did not succeed');
    await this.#settleDown();
    await this.#readJournal();
  }

  /** Every deploy has ended, and is called what it came to. */
  async #readJournal(): Promise<void> {
    const { rules, store } = this.#cast;
    for (const { state, record } of await store.deploys(setOf(this.#history.shape).name)) {
      if (state === 'ended') rules.reported(record);
      else this.world.broken(`deploy ${record.id} is ${state} for ever`);
    }
  }
}
