/** The rules that no history may break, checked at every step that could break them. */
import type { CommittedMap } from '../../packages/agent/src/core/release/journal.ts';
import type { CommitDecision, ReleaseRecord, Store } from '../../packages/controller/src/ports.ts';
import type { ActiveMap, DeployRecord, RequestType } from '../../packages/protocol/src/index.ts';
import { difference, sameMap } from './difference.ts';
import type { NodeMachine } from './node-machine.ts';
import { mapText } from './node-ports.ts';
import type { World } from './world.ts';

/** A row of the decision, as it was written. */
interface Row {
  epoch: number;
  active: ActiveMap;
  deploys: readonly string[];
}

export class Rules {
  readonly #world: World;
  readonly #nodes: readonly NodeMachine[];
  readonly #appservers: readonly NodeMachine[];
  readonly #balancers: readonly NodeMachine[];
  readonly #rows: Row[] = [{ epoch: 0, active: {}, deploys: [] }];
  #standing: Row = { epoch: 0, active: {}, deploys: [] };
  /** Deploys that a restored state has otherwise than they went on. */
  readonly #forgotten = new Set<string>();
  /** The newest fencing token that was granted. */
  #token = 0;
  /** By node and map: the epoch that it shows. */
  readonly #shown = new Map<string, number>();
  readonly #hooks = new Map<string, number>();
  /** Every instance that any map of any node had since its release was made. */
  readonly #everShown = new Set<string>();

  constructor(world: World, nodes: readonly NodeMachine[]) {
    this.#world = world;
    this.#nodes = nodes;
    this.#appservers = nodes.filter((it) => it.hasRole('appserver'));
    this.#balancers = nodes.filter((it) => it.hasRole('balancer'));
  }

  /** The row that stands. */
  get row(): Row {
    return this.#standing;
  }

  /** The controller's state is an older one again: its row stands, until it is brought together with what nodes have seen. */
  restored(row: Row): void {
    this.#standing = { ...row, deploys: [] };
    this.#token = 0;
    for (const id of row.deploys) this.#forgotten.add(id);
  }

  /** Passes on what a call of the store comes to, and takes note of it. */
  stored<T>(name: keyof Store, args: readonly unknown[], result: Promise<T>): Promise<T> {
    if (name === 'commit') {
      const decision = args[0] as CommitDecision;
      return result.then((epoch) => {
        this.#committed(decision, Number(epoch));
        return epoch;
      });
    }
    // A name that was lost with the controller's state, or with a node's disk, may be given again.
    if (name === 'putRelease') this.#everShown.delete((args[0] as ReleaseRecord).instance);
    if (name !== 'acquireLease') return result;
    return result.then((it) => {
      const { lease } = it as { lease: { token: number } };
      this.#token = Math.max(this.#token, lease.token);
      return it;
    });
  }

  #committed({ token, active, deploys }: CommitDecision, epoch: number): void {
    this.#world.note('', `ROW: epoch ${epoch}, ${mapText(active)}, token ${token}`);
    if (token < this.#token) this.#world.broken(`token ${token} committed although ${this.#token} had been granted`);
    const seen = Math.max(this.row.epoch, ...this.#nodes.map((it) => it.committed?.epoch ?? 0));
    if (epoch <= seen) this.#world.broken(`epoch ${epoch} was committed after ${seen}`);
    for (const app of Object.keys(active)) if (active[app] !== this.row.active[app]) this.#voteHolds(active[app] ?? '');
    this.#standing = { epoch, active, deploys };
    this.#rows.push(this.#standing);
  }

  /** A node has come back with an empty disk: what it had seen and done is not its own any more. */
  wiped(node: NodeMachine): void {
    for (const seen of [this.#shown, this.#hooks]) {
      for (const key of [...seen.keys()]) if (key.startsWith(`${node.name} `)) seen.delete(key);
    }
  }

  /** A decision for an instance stands on the votes of all app servers: none may have been lost since. */
  #voteHolds(instance: string): void {
    for (const node of this.#appservers.filter((it) => !it.isWiped)) {
      if (!isHeld(node, instance))
        this.#world.broken(`${instance} was committed, but ${node.name} does not hold its vote`);
    }
  }

  /** A controller sends an order. */
  told(node: string, type: RequestType, body: unknown): void {
    if (type !== 'switch' && type !== 'welcome') return;
    const { epoch, active } = body as { epoch: number; active: ActiveMap };
    if (!this.#isRow(epoch, active))
      this.#world.broken(`${node} was told ${type} to epoch ${epoch}, which no row has so`);
  }

  /** A node writes the newest map that it has seen. */
  journalled(node: NodeMachine, { epoch, active }: CommittedMap): void {
    const before = node.committed?.epoch ?? 0;
    if (epoch < before) this.#world.broken(`${node.name} went back from epoch ${before} to ${epoch}`);
    if (!this.#isRow(epoch, active)) this.#world.broken(`${node.name} switches to epoch ${epoch}, which no row has so`);
  }

  /** A map that requests are routed by changed. */
  shows(node: NodeMachine, map: 'apache' | 'haproxy', active: ActiveMap): void {
    const key = `${node.name} ${map}`;
    const since = this.#shown.get(key) ?? 0;
    const row = this.#rows.find((it) => it.epoch >= since && sameMap(it.active, active));
    if (row === undefined) {
      this.#world.broken(
        `${node.name} (${map}) shows ${mapText(active)}, an old map after epoch ${since}, or one without a row`,
      );
    } else this.#shown.set(key, row.epoch);
    for (const instance of Object.values(active)) this.#everShown.add(instance);
  }

  /** A node reports that it has an instance staged. */
  voted(node: NodeMachine, instance: string): void {
    if (!isHeld(node, instance))
      this.#world.broken(`${node.name} reports ${instance} as staged, but a power cut would lose it`);
  }

  /** A release is made anew on a node, maybe under a name that was given before. */
  unpacked(node: NodeMachine, instance: string): void {
    this.#hooks.delete(`${node.name} ${instance}`);
  }

  hookRan(node: NodeMachine, instance: string): void {
    const key = `${node.name} ${instance}`;
    const count = (this.#hooks.get(key) ?? 0) + 1;
    this.#hooks.set(key, count);
    if (count > 1) this.#world.broken(`update_fetch of ${instance} ran ${count} times on ${node.name}`);
  }

  /** A user, or the journal, is told how a deploy ended. */
  reported(record: DeployRecord): void {
    const { id, instance, outcome } = record;
    if (this.#forgotten.has(id)) return;
    const rows = this.#rows.filter((it) => it.deploys.includes(id));
    const wanted = { aborted: 0, done: 1, 'rolled-back': 2, unchanged: 0 }[outcome];
    if (rows.length !== wanted) {
      this.#world.broken(`deploy ${id} is called ${outcome}, but ${rows.length} rows were committed for it`);
    }
    if (outcome === 'aborted' && id.startsWith('deploy') && this.#everShown.has(instance)) {
      this.#world.broken(`${instance} was aborted, but became active`);
    }
  }

  /** What visitors get, after each step: whoever balancers ask can serve what they are asked for. */
  visitorsAreServed(): void {
    const balancers = this.#balancers.filter((it) => it.isPowered);
    for (const node of this.#appservers) {
      if (!node.isPowered || node.isBooting || !node.isReady) continue;
      for (const balancer of balancers)
        if (!this.#isBlind(node, balancer.routes)) this.#serves(node, balancer.routes, balancer);
      if (balancers.length === 0) this.#serves(node, node.active);
    }
  }

  /**
   * More faults than one at a time: a node lost its disk, and either it has not been told since what is live, or the balancer is
   * behind. What the balancer still asks for is in no row then, so nobody brings it back to the node, which holds what the row says
   * and is let in for that. It answers 503 with X-Silver-Missing, and the balancer asks another node. To keep it out would take
   * a balancer, or a controller, that cannot be reached.
   */
  #isBlind(node: NodeMachine, routes: ActiveMap): boolean {
    if (!node.isWiped) return false;
    const isTold = (node.committed?.epoch ?? 0) >= this.row.epoch;
    return !(isTold && sameMap(routes, this.row.active));
  }

  /**
   * More than one at a time, too: HAProxy does not take the map that its node has, and what it still asks for could not be started on the
   * app server after a power cut. The app server answers the same, and waits for nobody: that might take for ever.
   */
  #serves(node: NodeMachine, active: ActiveMap, balancer?: NodeMachine): void {
    for (const instance of Object.values(active)) {
      if (node.served.has(instance) && node.running.has(instance)) {
        node.lost.delete(instance);
        continue;
      }
      if (balancer !== undefined && this.#isHung(balancer) && node.lost.has(instance)) continue;
      this.#world.broken(`${node.name} takes requests for ${instance}, which it does not serve`);
    }
  }

  #isHung({ routes, routesFile }: NodeMachine): boolean {
    return sameMap(routesFile, this.row.active) && !sameMap(routes, this.row.active);
  }

  /** Once faults have stopped and all have talked: undefined, or what is still not as the row says. */
  unsettled(): string | undefined {
    const { epoch, active } = this.row;
    for (const node of this.#nodes) {
      const problem = difference(node, epoch, active);
      if (problem !== undefined) return `${node.name} ${problem}, the row is epoch ${epoch}: ${mapText(active)}`;
    }
    return undefined;
  }

  #isRow(epoch: number, active: ActiveMap): boolean {
    return this.#rows.some((it) => it.epoch === epoch && sameMap(it.active, active));
  }
}

/** Whether it would still be there after a power cut. */
function isHeld(node: NodeMachine, instance: string): boolean {
  return node.journals.get(instance)?.state === 'prepared' && node.releases.get(instance)?.isSynced === true;
}
