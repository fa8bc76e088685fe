/** A release that is wanted again while a node still undoes what was given up of it. */
import { SlError } from '@silverlining/protocol';
import { expect, it } from 'vitest';
import { blog, context, name, offer, specOf, stage, states, useBlog } from '../../../../test/fakes/blog.ts';
import { fakeReleasePorts } from '../../../../test/fakes/release-ports.ts';
import { createReleases } from './releases.ts';

useBlog();

it('is staged once that is done, with the offer that came meanwhile', async () => {
  const ports = await fakeReleasePorts(blog.root, blog.node);
  const { stop } = ports.units;
  let goOn: () => void = () => undefined;
  const stopping = new Promise<void>((begun) => {
    ports.units.stop = async (...args) => {
      await new Promise<void>((resolve) => {
        goOn = resolve;
        begun();
      });
      return stop(...args);
    };
  });
  blog.releases = createReleases(ports);
  const session = new AbortController();
  blog.node.answer = () => {
    session.abort(new SlError('E_ABORTED', 'the session ended'));
    return { status: 503, body: '' };
  };
  const first = stage(1, {}, session.signal);
  await stopping;
  ports.units.stop = stop;
  blog.node.answer = () => ({ status: 200, body: '' });
  await offer(1);
  const order = { instance: name(1), deploy: 'd2', epoch: 0, spec: specOf(1) };
  const again = blog.releases.stage(order, context());
  const third = blog.releases.stage(order, context());
  goOn();
  await expect(first).rejects.toMatchObject({ code: 'E_ABORTED' });
  await expect(third).rejects.toMatchObject({ code: 'E_CONFLICT' });
  await again;
  expect(await states()).toEqual({ [name(1)]: 'staged' });
});
