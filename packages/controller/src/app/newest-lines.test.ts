import type { LogLine } from '@silverlining/protocol';
import { expect, it } from 'vitest';
import { NewestLines } from './newest-lines.ts';

const line = (node: string, at: number): LogLine => ({ node, at, source: 'blog', text: `${node} ${at}` });

it('are those that sorting all of them gives, and few more are in memory', () => {
  const count = 10;
  const newest = new NewestLines(count);
  const all: LogLine[] = [];
  for (let at = 0; at < 100; at++) {
    // The second is far behind, and the third ahead.
    for (const [i, shift] of [0, -60, 20].entries()) all.push(line(`app${i}`, at + shift - (at % 3)));
  }
  for (const it of all) {
    newest.add(it);
    expect(newest.held).toBeLessThan(2 * count + 1);
  }
  const sorted = [...all].sort((a, b) => a.at - b.at).slice(-count);
  expect(newest.inOrder().map(({ at }) => at)).toEqual(sorted.map(({ at }) => at));
});

it('are none where none are wanted', () => {
  const newest = new NewestLines(0);
  newest.add(line('app1', 1));
  expect(newest.inOrder()).toEqual([]);
});
