/** Connections between agents and controllers, with everything that can happen to what is sent over them. */
import type { Death, Life } from './life.ts';
import type { World } from './world.ts';

/** What befalls the nth message of a kind. */
export interface MessageFate {
  /** Type of a request, the same with `done` for its reply, or `hello`. */
  kind: string;
  nth: number;
  /** `lost`: and the connection with it, which either end notices in its own time. `twice`; `late`: others overtake it. */
  what: 'lost' | 'twice' | 'late';
  /** Milliseconds by which it is late, or after which the ends notice that the connection is gone. */
  ms: number;
}

export interface Message {
  kind: string;
  /** For people. */
  subject: string;
}

const LATENCY = 2;
/** Milliseconds without a ping after which an end counts the other as gone. */
const SILENCE = 25_000;

export interface End {
  readonly life: Life;
  /** Called once. */
  closed(reason: string): void;
}

type Side = 'agent' | 'controller';

export class Network {
  readonly world: World;
  readonly #fates: ReadonlyMap<string, MessageFate>;
  readonly #open = new Set<Connection>();
  readonly #counts = new Map<string, number>();
  armed = false;

  constructor(world: World, fates: readonly MessageFate[]) {
    this.world = world;
    this.#fates = new Map(fates.map((it) => [`${it.kind} ${it.nth}`, it]));
  }

  connect(agent: End, controller: End): Connection {
    const connection = new Connection(this, { agent, controller });
    this.#open.add(connection);
    return connection;
  }

  nextFate(kind: string): MessageFate | undefined {
    if (!this.armed || this.#fates.size === 0) return undefined;
    const nth = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, nth);
    return this.#fates.get(`${kind} ${nth}`);
  }

  forget(connection: Connection): void {
    this.#open.delete(connection);
  }

  /** The other ends of a killed process hear of it at once; those of a machine without power by silence. */
  died(life: Life, how: Death): void {
    for (const connection of [...this.#open]) connection.died(life, how === 'kill' ? LATENCY : SILENCE);
  }

  /** Nothing reaches the node or leaves it any more over what is open now. */
  cut(name: string): void {
    for (const connection of [...this.#open]) if (connection.isOf(name)) connection.lose(SILENCE);
  }

  /** The agent of the node gives its connection up. */
  hop(name: string): void {
    for (const connection of [...this.#open]) if (connection.isOf(name)) connection.close('agent', 'closed');
  }
}

export class Connection {
  readonly #network: Network;
  readonly #ends: { [S in Side]: End };
  readonly #isOpen: { [S in Side]: boolean } = { agent: true, controller: true };
  /** When the last message of a direction arrives: later ones do not overtake it. */
  readonly #arrival: { [S in Side]: number } = { agent: 0, controller: 0 };
  #isLost = false;

  constructor(network: Network, ends: { [S in Side]: End }) {
    this.#network = network;
    this.#ends = ends;
  }

  isOf(name: string): boolean {
    return this.#ends.agent.life.name === name || this.#ends.controller.life.name === name;
  }

  isOpen(side: Side): boolean {
    return this.#isOpen[side];
  }

  /** Sends to a side; `arrive` runs there unless the message, the connection or the process is lost by then. */
  send(to: Side, { kind, subject }: Message, arrive: () => void): void {
    const from = to === 'agent' ? 'controller' : 'agent';
    if (!this.#isOpen[from] || !this.#ends[from].life.alive) return;
    const fate = this.#network.nextFate(kind);
    const { world } = this.#network;
    const name = `${kind} ${subject} from ${this.#ends[from].life.name}`;
    if (fate?.what === 'lost') {
      world.note('', `LOST on its way to ${this.#ends[to].life.name}: ${name}`);
      this.lose(fate.ms);
    }
    if (this.#isLost) return;
    const at = Math.max(world.now + world.jitter(LATENCY), this.#arrival[to]);
    const deliver = () => {
      if (this.#isLost || !this.#isOpen[to] || !this.#ends[to].life.alive) return;
      if (kind !== 'health') world.note(this.#ends[to].life.name, `gets ${name}`);
      arrive();
    };
    if (fate?.what === 'late') world.after(at - world.now + fate.ms, deliver);
    else {
      this.#arrival[to] = at;
      world.after(at - world.now, deliver);
    }
    if (fate?.what === 'twice') world.after(at - world.now + fate.ms, deliver);
  }

  close(side: Side, reason: string): void {
    if (!this.#isOpen[side]) return;
    this.#isOpen[side] = false;
    if (this.#ends[side].life.alive) this.#ends[side].closed(reason);
    const other = side === 'agent' ? 'controller' : 'agent';
    if (!this.#isOpen[other]) this.#network.forget(this);
    else if (!this.#isLost) this.#network.world.after(LATENCY, () => this.close(other, 'closed by the other end'));
  }

  /** Nothing more arrives; each end notices after `ms` to twice that. */
  lose(ms: number): void {
    if (this.#isLost) return;
    this.#isLost = true;
    const { world } = this.#network;
    for (const side of ['agent', 'controller'] as const) {
      world.after(world.jitter(ms), () => this.close(side, 'silence'));
    }
  }

  died(life: Life, ms: number): void {
    const { world } = this.#network;
    for (const side of ['agent', 'controller'] as const) {
      if (this.#ends[side].life !== life) continue;
      this.#isOpen[side] = false;
      this.#isLost = true;
      const other = side === 'agent' ? 'controller' : 'agent';
      world.after(ms, () => this.close(other, `${life.name} is gone`));
      return;
    }
  }
}
