import { expect, it } from 'vitest';
import { SET, SmallSet } from '../../../../test/fakes/small-set.ts';
import { Operations } from './operations.ts';

it('what a node says of its progress does not pile up, however much that is', async () => {
  const small = new SmallSet();
  const app1 = { name: 'app1', roles: ['appserver'] };
  await small.add(app1, {
    converge(_body, { onProgress }) {
      for (let i = 0; i < 1000; i++) onProgress?.({ stage: 'converge', text: `said ${i}` });
      return { reports: [] };
    },
  });
  const operations = new Operations({ clock: small.clock, ids: small.deps.ids });
  let up: Promise<unknown> = Promise.resolve();
  const id = operations.start({
    ...{ kind: 'up', set: SET, by: 'somebody' },
    run(op) {
      const running = small.up([app1], op);
      up = running;
      return running;
    },
  });
  await up;
  const said: string[] = [];
  for await (const event of operations.follow(id, new AbortController().signal))
    if (event.type === 'progress' && event.text.startsWith('said')) said.push(event.text);
  expect(said).toEqual(['said 999']);
});
