/** What can happen: histories as data, which fast-check makes, shrinks, and which are printed. */
import fc from 'fast-check';
import type { Death, Mishap } from './life.ts';
import type { MessageFate } from './network.ts';
import type { Ailments } from './node-machine.ts';
import type { Shape } from './server-set.ts';

/** `by`: 0 is the newest controller, 1 the one before it; `node` and `app` count over what there is. Times in milliseconds. */
export type Act =
  | { do: 'deploy'; apps: number[]; by: number }
  | { do: 'rollback'; app: number; by: number }
  | { do: 'cancel'; by: number }
  | { do: 'up' }
  | { do: 'second controller' }
  | { do: 'kill controller'; by: number; how: Death; down: number }
  /** A copy of the controller's state is kept. */
  | { do: 'copy' }
  /** The controller comes back with the last copy, or with what `sl up` knows from the file alone. */
  | { do: 'lose state'; to: 'copy' | 'nothing'; down: number }
  | { do: 'kill agent'; node: number; how: Death; down: number }
  | { do: 'wipe'; node: number; down: number }
  | { do: 'cut'; node: number; ms: number }
  | { do: 'hop'; node: number }
  | { do: 'ail'; node: number; what: Exclude<keyof Ailments, 'cut'>; ms: number };

export interface History {
  shape: Shape;
  /** Whether a first deploy of everything went well before anything else happens. */
  isWarm: boolean;
  seed: number;
  acts: { after: number; act: Act }[];
  mishaps: Mishap[];
  messages: MessageFate[];
  /** What all do when faults have stopped: start again, or only connect again. */
  end: 'restart' | 'reconnect';
}

const node = fc.nat({ max: 4 });
const how = fc.constantFrom<Death>('kill', 'power');
const by = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.constant(1));
/** Most things happen while a deploy is under way, which takes some 200 ms; some after a drain. */
const gap = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 60 }) },
  { weight: 3, arbitrary: fc.integer({ min: 60, max: 300 }) },
  { weight: 2, arbitrary: fc.integer({ min: 300, max: 3000 }) },
  { weight: 2, arbitrary: fc.constantFrom(9_990, 12_000, 32_000) },
);
const period = fc.constantFrom(100, 1000, 5000, 40_000);

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('deploy' as const),
      apps: fc.subarray([0, 1], { minLength: 1 }),
      by,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rollback' as const), app: fc.nat({ max: 1 }), by }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), by }) },
  { weight: 1, arbitrary: fc.constant({ do: 'up' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'second controller' as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('kill controller' as const), by, how, down: period }) },
  { weight: 1, arbitrary: fc.constant({ do: 'copy' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('lose state' as const),
      to: fc.constantFrom('copy' as const, 'nothing' as const),
      down: period,
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('kill agent' as const), node, how, down: period }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wipe' as const), node, down: period }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cut' as const), node, ms: period }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('hop' as const), node }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('ail' as const),
      node,
      what: fc.constantFrom(
        'sick' as const,
        'crashes' as const,
        'hooks' as const,
        'disk' as const,
        'balancer' as const,
      ),
      ms: period,
    }),
  },
);

const agentCall = fc.constantFrom(
  ...['journal', 'forget', 'epoch', 'unpack', 'remove', 'sync', 'install', 'start', 'stop', 'enable', 'serve', 'ready'],
  ...['apache', 'haproxy-file', 'haproxy', 'hook', 'ask'],
);
const storeCall = fc.constantFrom(
  ...['putRelease', 'deleteReleases', 'putDeploy', 'changeDeploys', 'commit'],
  ...['acquireLease', 'releaseLease', 'beatLease', 'dropLeases'],
);
const controllers = fc.constantFrom('ctl1', 'ctl1', 'ctl2');
const nth = fc.integer({ min: 1, max: 4 });
const mishap: fc.Arbitrary<Mishap> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      who: fc.constantFrom('app1', 'app2', 'app3', 'bal1', 'bal2'),
      kind: agentCall,
      nth,
      what: fc.constantFrom<Mishap['what']>('kill', 'power', 'fail', 'lost'),
    }),
  },
  fc.record({
    who: controllers,
    kind: storeCall,
    nth,
    what: fc.constantFrom<Mishap['what']>('kill', 'power', 'fail', 'cancel'),
  }),
  // The one answer whose loss matters.
  fc.record({ who: controllers, kind: fc.constant('commit'), nth, what: fc.constant<Mishap['what']>('lost') }),
);
const message: fc.Arbitrary<MessageFate> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc
        .tuple(
          fc.constantFrom('hello', 'welcome', 'offer', 'stage', 'hook', 'switch', 'serving', 'settle', 'abort'),
          fc.constantFrom('', ' done'),
        )
        .map(([type, reply]) => (type === 'hello' ? type : type + reply)),
      nth,
      what: fc.constantFrom<MessageFate['what']>('lost', 'twice', 'late'),
      ms: fc.constantFrom(1, 5, 50, 500, 5000, 20_000),
    }),
  },
  // An order that comes again when a newer one has been followed.
  fc.record({
    kind: fc.constantFrom('switch', 'welcome'),
    nth,
    what: fc.constant<MessageFate['what']>('twice'),
    ms: fc.constantFrom(500, 5000, 20_000),
  }),
);

export const history: fc.Arbitrary<History> = fc.record({
  shape: fc.record({
    appservers: fc.integer({ min: 1, max: 3 }),
    balancers: fc.nat({ max: 2 }),
    apps: fc.integer({ min: 1, max: 2 }),
  }),
  isWarm: fc.boolean(),
  seed: fc.nat(),
  acts: fc.array(fc.record({ after: gap, act }), { minLength: 1, maxLength: 10 }),
  mishaps: fc.array(mishap, { maxLength: 4 }),
  messages: fc.array(message, { maxLength: 5 }),
  end: fc.constantFrom('restart' as const, 'reconnect' as const),
});
