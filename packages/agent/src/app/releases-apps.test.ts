/** Several apps on one node. */
import { manifestText, type RequestBody, SlError } from '@silverlining/protocol';
import { expect, it } from 'vitest';
import { archiveOf } from '../../../../test/builders/tar-archive.ts';
import {
  blog,
  context,
  file,
  name,
  offer,
  sha256,
  specOf,
  stage,
  states,
  switchTo,
  useBlog,
} from '../../../../test/fakes/blog.ts';

useBlog();

const instanceOf = (app: string) => `${app}.20260131_001`;

async function offerApp(app: string): Promise<void> {
  const manifest = { version: 1 as const, app, files: [file('app/server.js', app)], links: [] };
  const digest = sha256(manifestText(manifest));
  await blog.releases.offer({ instance: instanceOf(app), app, digest, manifest }, context());
}

async function stageApp(app: string): Promise<void> {
  const instance = instanceOf(app);
  const archive = archiveOf([{ path: 'app/server.js', content: app }]).toString('base64');
  const order: RequestBody<'stage'> = { instance, deploy: 'd', epoch: 0, spec: specOf(1, { app, instance }), archive };
  await blog.releases.stage(order, context());
}

it.each(['proxy', 'switch'])('an app named %s is staged, and keeps no other from being switched to', async (app) => {
  await stage(1);
  let answer: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => {
    blog.node.answer = () => {
      resolve();
      return new Promise((done) => {
        answer = () => done({ status: 200, body: '' });
      });
    };
  });
  await offerApp(app);
  const staging = stageApp(app);
  await asked;
  await switchTo(1, 1);
  answer();
  await staging;
  expect(await states()).toMatchObject({ [instanceOf(app)]: 'staged' });
});

it('stages every app of a deploy, however many were offered before the first of them', async () => {
  const apps = Array.from({ length: 40 }, (_, i) => `site${i}`);
  for (const app of apps) await offerApp(app);
  for (const app of apps) await stageApp(app);
  expect(await states()).toEqual(Object.fromEntries(apps.map((app) => [instanceOf(app), 'staged'])));
});

it('remembers one offer of an app, the newest', async () => {
  await offer(1);
  await offer(2);
  const order = { instance: name(1), deploy: 'd1', epoch: 0, spec: specOf(1) };
  await expect(blog.releases.stage(order, context())).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
});

it('an offer that was cancelled does not take the place of the one that follows', async () => {
  const cancelled = new AbortController();
  const earlier = offer(1, cancelled.signal);
  cancelled.abort(new SlError('E_ABORTED', 'the deploy was given up'));
  await Promise.all([expect(earlier).rejects.toMatchObject({ code: 'E_ABORTED' }), stage(2)]);
  expect(await states()).toEqual({ [name(2)]: 'staged' });
});
