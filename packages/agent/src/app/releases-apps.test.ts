/** Several apps on one node. */
import { manifestText, type RequestBody } from '@silverlining/protocol';
import { expect, it } from 'vitest';
import { archiveOf } from '../../../../test/builders/tar-archive.ts';
import { blog, context, file, sha256, specOf, stage, states, switchTo, useBlog } from '../../../../test/fakes/blog.ts';

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
