import { SlError } from '@silverlining/protocol';
import { expect, it } from 'vitest';
import { onEach } from './deps.ts';

it('what fails on several nodes names each of them once, whether or not it says itself which it is', async () => {
  const messages: Record<string, string> = {
    app1: 'no journal',
    app2: 'app2: its agent is not connected',
    app3: 'full',
  };
  const nodes = Object.keys(messages).map((name) => ({ name }));
  const failing = onEach(nodes, ({ name }) => Promise.reject(new SlError('E_INTERNAL', messages[name] ?? '')));
  const message = 'no journal (also: app2: its agent is not connected; app3: full)';
  await expect(failing).rejects.toMatchObject({ message, details: { node: 'app1' } });
});
