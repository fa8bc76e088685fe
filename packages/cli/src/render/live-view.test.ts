import type { ProgressEvent } from '@silverlining/protocol';
import { describe, expect, it } from 'vitest';
import { applyEvent, isLasting, type LiveView, liveLines } from './live-view.ts';
import { plain } from './paint.ts';
import { progressLine } from './progress-line.ts';
import { clock } from './text.ts';

const T = 1_769_860_000_000;
const event = (rest: Partial<ProgressEvent>): ProgressEvent => ({
  ...{ type: 'progress', at: T, status: 'started', action: 'stage', text: 'staging' },
  ...rest,
});
const viewOf = (...events: Partial<ProgressEvent>[]): LiveView =>
  events.reduce<LiveView>((view, it) => applyEvent(view, event(it)), new Map());
const size = { columns: 60, rows: 24 };

describe('the live view', () => {
  it('has a row for each node, in the order of their first events', () => {
    const view = viewOf(
      { node: 'app1' },
      { node: 'balancer', text: 'waiting' },
      { node: 'app1', status: 'running', text: 'sending', done: 30, total: 120 },
      { node: 'balancer', status: 'ok', text: 'switched' },
    );
    expect(liveLines(view, T, size, plain)).toEqual(['⠋ app1      sending 25%', '✓ balancer  switched']);
  });

  it('shows how long something takes from its start on', () => {
    const view = viewOf({ node: 'app1' }, { node: 'app1', status: 'running', at: T + 2000, text: 'unpacking' });
    expect(liveLines(view, T + 3000, size, plain)).toEqual(['⠋ app1  unpacking  3.0 s']);
    expect(liveLines(applyEvent(view, event({ node: 'app1', at: T + 3000 })), T + 3500, size, plain)).toEqual([
      '⠴ app1  staging',
    ]);
  });

  it('fits the terminal: long texts are cut, and of too many rows those that matter stay', () => {
    const nodes = Array.from({ length: 30 }, (_, i) => ({
      node: `app${i}`,
      status: 'ok' as const,
      text: 'x'.repeat(100),
    }));
    const lines = liveLines(
      viewOf(...nodes, { node: 'app7', status: 'failed', text: 'broken' }, { node: 'app29' }),
      T,
      { columns: 40, rows: 6 },
      plain,
    );
    expect(lines).toHaveLength(4);
    expect(lines).toContain('✗ app7   broken');
    expect(lines).toContain('⠋ app29  staging');
    expect(lines.at(-1)).toBe('  and 27 more');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(40);
  });

  it('leaves warnings to lines of their own', () => {
    expect(viewOf({ node: 'app1', status: 'warning', text: 'slow' }).size).toBe(0);
    expect(
      ['warning', 'info', 'failed', 'ok'].map((status) =>
        isLasting(event({ status: status as ProgressEvent['status'] })),
      ),
    ).toEqual([true, true, true, false]);
  });
});

describe('a progress line', () => {
  it('has time, node, app, text and what is out of the ordinary', () => {
    const failed = event({ node: 'app1', app: 'blog', status: 'failed', text: 'exited\u001b[2J with 1' });
    expect(progressLine(failed, false, plain)).toBe(`${clock(T)} app1 blog: failed: exited with 1`);
    expect(progressLine(event({ status: 'ok', text: 'done' }), false, plain)).toBe(`${clock(T)} done`);
  });

  it('leaves out a counter’s ticks, unless they are wanted', () => {
    const tick = event({ node: 'app1', status: 'running', text: 'sent', done: 5_000_000 });
    expect(progressLine(tick, false, plain)).toBeUndefined();
    expect(progressLine(tick, true, plain)).toBe(`${clock(T)} app1: sent 5.0 MB`);
  });
});
