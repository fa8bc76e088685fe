import { describe, expect, it } from 'vitest';
import type { Provider } from '../ports.ts';
import { chooseSizes } from './sizes.ts';

const never = new AbortController().signal;

/** A provider of which nothing but its sizes is asked. */
function sizesOf(...rams: number[]): Provider {
  const unasked = () => Promise.reject(new Error('nothing but sizes is asked'));
  const sizes = async () => rams.map((ram) => ({ id: `s${ram}`, name: `${ram} MiB`, ram }));
  const others = { list: unasked, create: unasked, start: unasked, destroy: unasked, images: unasked };
  return { driver: 'cloud', keepsMachines: false, onThisMachine: false, ...others, cleanUp: unasked, sizes };
}

const node = (name: string, mib?: number) => ({
  ...{ name, roles: ['appserver'] },
  ...(mib === undefined ? {} : { size: `ram ${mib}`, sizeWish: { by: 'ram' as const, mib } }),
});

describe('sizes of new nodes', () => {
  it('are the ones that meet their wishes; the others are left to the provider', async () => {
    const chosen = await chooseSizes(sizesOf(1024, 2048), [node('app1', 1500), node('app2')], never);
    expect([...chosen]).toEqual([['app1', 's2048']]);
  });

  it('are any where the provider has none to choose from', async () => {
    expect(await chooseSizes(sizesOf(), [node('app1', 1500)], never)).toEqual(new Map());
  });

  it('that nobody has are an error with what there is', async () => {
    await expect(chooseSizes(sizesOf(1024, 2048), [node('app1', 4096)], never)).rejects.toMatchObject({
      code: 'E_PROVIDER',
      message:
        'cloud has no size "ram 4096" for app1; there are s1024 (1024 MiB, 1024 MiB), s2048 (2048 MiB, 2048 MiB)',
    });
  });
});
