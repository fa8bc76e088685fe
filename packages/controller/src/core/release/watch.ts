/**
 * What becomes of releases after their switch: they crash again and again, stop answering everywhere, or stay calm. A state
 * machine of its own, because it goes on when the deploy's command has ended and begins anew with every controller. Pure.
 */
import type { ActiveMap } from '@silverlining/protocol';

/** Milliseconds without trouble after which a release is trusted. The one before stays warm for as long. */
export const CALM = 10_000;
/** Trouble that neither ends nor is a verdict is watched no longer than this. */
export const WATCH_MAX = 60_000;
/** So many restarts of an instance on one node are a crash loop. A single one may be bad luck. */
export const CRASH_LOOP = 2;
/** So many looks in a row at which no node has it healthy. */
export const AILING = 5;

/** So many nodes are asked at each look, and no fewer than let everybody have a turn in so many looks, which take less than `CALM`. */
const ASKED_AT_ONCE = 100;
const TURNS = 8;

/** What a node says of an instance. */
export interface Seen {
  instance: string;
  healthy: boolean;
  /** Names the run of its process; another one after a restart. Undefined between two runs, and where it has no process. */
  run?: string | undefined;
}

export interface Look {
  node: string;
  /** Undefined: not a word from the node. That is no verdict on a release. */
  seen: readonly Seen[] | undefined;
}

export interface Watch {
  /** Instances that were switched to, by app. */
  instances: ActiveMap;
  since: number;
  /** The last trouble, or the beginning. */
  calmSince: number;
  /** By node and instance. */
  runs: ReadonlyMap<string, { run: string; restarts: number }>;
  /** By instance: looks in a row at which no node had it healthy. */
  ailing: ReadonlyMap<string, number>;
  /** By node: the last look at it. */
  known: ReadonlyMap<string, { seen: Look['seen']; at: number }>;
  /** How many there were. */
  looks: number;
  /** Whether nobody of those who were asked last had an instance healthy: then all are asked, as it may be so everywhere. */
  isAlarmed: boolean;
}

export type Verdict =
  | { is: 'open' }
  | { is: 'trusted' }
  | { is: 'failed'; instance: string; node: string; why: 'crash loop' | 'unhealthy'; restarts: number };

/** `now`: monotonic milliseconds, here and below. */
export function startWatch(instances: ActiveMap, now: number): Watch {
  return {
    ...{ instances, since: now, calmSince: now, runs: new Map(), ailing: new Map() },
    ...{ known: new Map(), looks: 0, isAlarmed: false },
  };
}

/** Of many nodes a part in turn, and those with trouble each time: a thousand questions a second would be more than the answers are worth. */
export function whomToAsk(watch: Watch, nodes: readonly string[]): string[] {
  const share = Math.max(ASKED_AT_ONCE, Math.ceil(nodes.length / TURNS));
  if (watch.looks === 0 || watch.isAlarmed || nodes.length <= share) return [...nodes];
  const from = watch.looks * share;
  const turn = new Set(Array.from({ length: share }, (_, i) => nodes[(from + i) % nodes.length]));
  return nodes.filter((node) => turn.has(node) || hasTrouble(watch, node));
}

/** Takes in what those who were asked said at one time. */
export function look(before: Watch, looks: readonly Look[], now: number): { watch: Watch; verdict: Verdict } {
  const runs = countRuns(before, looks);
  const known = new Map([...before.known, ...looks.map(({ node, seen }) => [node, { seen, at: now }] as const)]);
  const ailing = countAiling(before, [...known.values()]);
  const trouble = restartsIn(runs) > restartsIn(before.runs) || isTroubled(before, looks);
  const isAlarmed = Object.values(before.instances).some((it) => isAiling(it, looks));
  const calmSince = trouble ? now : before.calmSince;
  const watch = { ...before, runs, known, ailing, calmSince, isAlarmed, looks: before.looks + 1 };
  return { watch, verdict: judge(watch, looks, now) };
}

function hasTrouble({ instances, known, runs }: Watch, node: string): boolean {
  const isSick = watched(instances, known.get(node)?.seen ?? []).some((it) => !it.healthy);
  return isSick || Object.values(instances).some((it) => (runs.get(`${node} ${it}`)?.restarts ?? 0) > 0);
}

function judge(watch: Watch, looks: readonly Look[], now: number): Verdict {
  for (const [key, { restarts }] of watch.runs) {
    const [node = '', instance = ''] = key.split(' ');
    if (restarts >= CRASH_LOOP) return { is: 'failed', instance, node, why: 'crash loop', restarts };
  }
  for (const [instance, times] of watch.ailing) {
    const node = looks[0]?.node ?? '';
    if (times >= AILING) return { is: 'failed', instance, node, why: 'unhealthy', restarts: 0 };
  }
  const isRecent = [...watch.known.values()].every(({ at }) => now - at <= CALM);
  const isCalm = now - watch.calmSince >= CALM && isRecent;
  return { is: isCalm || now - watch.since >= WATCH_MAX ? 'trusted' : 'open' };
}

function countRuns({ instances, runs: before }: Watch, looks: readonly Look[]): Watch['runs'] {
  const runs = new Map(before);
  for (const { node, seen = [] } of looks) {
    for (const { instance, run } of watched(instances, seen)) {
      if (run === undefined) continue;
      const key = `${node} ${instance}`;
      const known = before.get(key);
      const restarts = known === undefined ? 0 : known.restarts + (known.run === run ? 0 : 1);
      runs.set(key, { run, restarts });
    }
  }
  return runs;
}

/** A node that says nothing may have it healthy, so then nothing is counted. */
function countAiling({ instances, ailing }: Watch, looks: readonly Pick<Look, 'seen'>[]): Watch['ailing'] {
  const counts = new Map<string, number>();
  for (const instance of Object.values(instances)) {
    if (isAiling(instance, looks)) counts.set(instance, (ailing.get(instance) ?? 0) + 1);
  }
  return counts;
}

function isAiling(instance: string, looks: readonly Pick<Look, 'seen'>[]): boolean {
  const isSick = ({ seen }: Pick<Look, 'seen'>) => seen?.some((it) => it.instance === instance && !it.healthy) ?? false;
  return looks.length > 0 && looks.every(isSick);
}

function isTroubled({ instances }: Watch, looks: readonly Look[]): boolean {
  return looks.some(({ seen = [] }) => watched(instances, seen).some((it) => !it.healthy));
}

function watched(instances: ActiveMap, seen: readonly Seen[]): Seen[] {
  const names = new Set(Object.values(instances));
  return seen.filter((it) => names.has(it.instance));
}

function restartsIn(runs: Watch['runs']): number {
  return [...runs.values()].reduce((sum, it) => sum + it.restarts, 0);
}
