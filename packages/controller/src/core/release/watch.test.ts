import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AILING,
  CALM,
  CRASH_LOOP,
  type Look,
  look,
  type Seen,
  startWatch,
  type Verdict,
  WATCH_MAX,
  whomToAsk,
} from './watch.ts';

const BLOG = 'blog.20260131_002';
const fine = (run = 'a'): Seen[] => [{ instance: BLOG, healthy: true, run }];
const FINE = fine();
const sick: Seen[] = [{ instance: BLOG, healthy: false, run: 'a' }];
const looks = (...seen: Look['seen'][]): Look[] => seen.map((it, i) => ({ node: `app${i + 1}`, seen: it }));

/** Looks once a second until there is a verdict; the last look is repeated. */
function drive(history: Look[][]): { verdict: Verdict; at: number } {
  let watch = startWatch({ blog: BLOG }, 0);
  for (let second = 1; ; second++) {
    const seen = history[Math.min(second, history.length) - 1] ?? [];
    const next = look(watch, seen, second * 1000);
    if (next.verdict.is !== 'open') return { verdict: next.verdict, at: second * 1000 };
    watch = next.watch;
  }
}

describe('a release that was switched to', () => {
  it('is trusted when it was calm', () => {
    expect(drive([looks(fine(), fine())])).toEqual({ verdict: { is: 'trusted' }, at: CALM });
  });

  it('has failed when one node had to start it again and again', () => {
    const history = ['a', 'b', 'b', undefined, 'c'].map((run) => looks(fine(), fine(run)));
    const { verdict } = drive(history);
    expect(verdict).toEqual({
      ...{ is: 'failed', why: 'crash loop', instance: BLOG, node: 'app2', restarts: CRASH_LOOP },
    });
  });

  it('is watched for longer after a restart', () => {
    expect(drive([looks(fine('a')), looks(fine('a')), looks(fine('b'))])).toEqual({
      verdict: { is: 'trusted' },
      at: 3000 + CALM,
    });
  });

  it('has failed when no node has it healthy for some time', () => {
    const { verdict, at } = drive([looks(fine(), fine()), looks(sick, sick)]);
    expect(verdict).toMatchObject({ is: 'failed', why: 'unhealthy', instance: BLOG });
    expect(at).toBe((1 + AILING) * 1000);
  });

  it.each([
    ['healthy on another node', fine()],
    ['on a node that says nothing', undefined],
  ])('has not when it is sick on one and %s', (_where, other) => {
    expect(drive([looks(sick, other)])).toEqual({ verdict: { is: 'trusted' }, at: WATCH_MAX });
  });

  it('has nothing to do with other instances', () => {
    const old: Seen[] = [{ instance: 'blog.20260131_001', healthy: false, run: 'x' }];
    expect(drive([looks(old, old)])).toEqual({ verdict: { is: 'trusted' }, at: CALM });
  });
});

describe('a release on a thousand nodes', () => {
  const nodes = Array.from({ length: 1_000 }, (_, i) => `app${i + 1}`);
  /** Looks once a second at those who are to be asked. `on` says what a node has at a second. */
  const driveMany = (on: (node: string, second: number) => Look['seen']) => {
    let watch = startWatch({ blog: BLOG }, 0);
    const asked: number[] = [];
    for (let second = 0; ; second++) {
      const whom = whomToAsk(watch, nodes);
      asked.push(whom.length);
      const seen = whom.map((node) => ({ node, seen: on(node, second) }));
      const { verdict, watch: next } = look(watch, seen, second * 1000);
      if (verdict.is !== 'open') return { verdict, at: second * 1000, asked };
      watch = next;
    }
  };

  it('is trusted after as long as on a few, and each was asked twice at least, but never all again', () => {
    const turns = new Map<string, number>();
    const { verdict, at, asked } = driveMany((node) => {
      turns.set(node, (turns.get(node) ?? 0) + 1);
      return FINE;
    });
    expect({ verdict, at }).toEqual({ verdict: { is: 'trusted' }, at: CALM });
    expect(Math.min(...turns.values())).toBeGreaterThanOrEqual(2);
    expect(Math.max(...asked.slice(1))).toBeLessThan(nodes.length / 5);
  });

  it.each(['app1', 'app500', 'app1000'])('has failed when it crashes every other second on %s alone', (node) => {
    const { verdict, at } = driveMany((it, second) => (it === node ? fine(`run${second >> 1}`) : FINE));
    expect(verdict).toMatchObject({ is: 'failed', why: 'crash loop', node });
    expect(at).toBeLessThanOrEqual(CALM + 2_000);
  });

  it('has failed on the heels of what it does on a few, when no node has it healthy', () => {
    const { verdict, at } = driveMany((_, second) => (second < 3 ? FINE : sick));
    expect(verdict).toMatchObject({ is: 'failed', why: 'unhealthy' });
    expect(at).toBeLessThanOrEqual((3 + AILING) * 1_000);
  });

  it('has not when a single node has it healthy', () => {
    expect(driveMany((node) => (node === 'app700' ? FINE : sick)).verdict).toEqual({ is: 'trusted' });
  });
});

it('whatever is seen, a verdict comes in time, and none against what never restarted and always answered', () => {
  const seen = fc.constantFrom<Look['seen'][]>(undefined, FINE, fine('b'), sick, []);
  const history = fc.array(
    fc.tuple(seen, seen).map((it) => looks(...it)),
    { minLength: 1, maxLength: 80 },
  );
  fc.assert(
    fc.property(history, (all) => {
      const { verdict, at } = drive(all);
      expect(at).toBeLessThanOrEqual(WATCH_MAX);
      const isFine = all.every((it) => it.every((look) => look.seen === undefined || look.seen === FINE));
      if (isFine) expect(verdict.is).toBe('trusted');
    }),
  );
});
