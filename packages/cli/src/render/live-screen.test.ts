import { expect, it } from 'vitest';
import { createContext } from '../context.ts';
import { createProgressView } from './live-screen.ts';

it('shows what is going on where the terminal has no size', () => {
  const written: string[] = [];
  const context = createContext({ file: undefined, yes: false, json: false, color: false, verbose: false });
  const stderr = { isTTY: true, columns: 0, rows: 0, write: (text: string) => written.push(text) };
  const view = createProgressView({ ...context, env: {}, stderr: stderr as never });
  for (const node of ['app1', 'app2'])
    view.event({ type: 'progress', at: Date.now(), status: 'ok', action: 'stage', node, text: 'staged' });
  view.end();
  expect(written.join('')).toContain('✓ app1  staged\n✓ app2  staged\n');
});
