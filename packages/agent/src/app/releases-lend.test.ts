import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { zstdDecompressSync } from 'node:zlib';
import { encodeBitmap } from '@silverlining/protocol';
import { beforeEach, expect, it } from 'vitest';
import { blog, content, context, name, restart, stage, useBlog } from '../../../../test/fakes/blog.ts';

useBlog();
beforeEach(() => stage(1));

/** What the node lends of files of release `n`, by their indices: the tar, as text. */
async function lend(n: number, ...files: number[]): Promise<string> {
  const wire = new PassThrough();
  const order = { instance: name(n), missing: encodeBitmap(2, files), transfer: 'transfer-of-the-test' };
  const [archive] = await Promise.all([
    buffer(wire),
    blog.releases.lend(order, { ...context(), openTransfer: async () => wire }),
  ]);
  return String(zstdDecompressSync(archive));
}

it('lends the files that are asked for, whether the release serves or not', async () => {
  const archive = await lend(1, 1);
  expect(archive).toContain(content(1));
  expect(archive).not.toContain('shared');
  await blog.releases.settle({ app: 'blog', keep: [name(1)], running: [] }, context());
  await restart();
  expect(await lend(1, 0, 1)).toMatch(/shared.*release 1/s);
});

it('lends nothing of a release that it does not have, or does not have whole', async () => {
  await expect(lend(2, 0)).rejects.toMatchObject({
    code: 'E_NOT_FOUND',
    message: `${name(2)} is not whole on this node`,
  });
  const path = join(blog.root, 'var/lib/silverlining/releases', name(1), 'app/server.js');
  await rm(path);
  await expect(lend(1, 1)).rejects.toMatchObject({
    code: 'E_NOT_FOUND',
    message: '"app/server.js" cannot be read on this node',
  });
  await writeFile(path, 'short');
  await expect(lend(1, 1)).rejects.toMatchObject({
    code: 'E_NOT_FOUND',
    message: '"app/server.js" is damaged on this node',
  });
});

it('refuses to be asked for files that a release does not have', async () => {
  const order = { instance: name(1), missing: encodeBitmap(9, [8]), transfer: 'transfer-of-the-test' };
  await expect(blog.releases.lend(order, context())).rejects.toMatchObject({ code: 'E_FRAME' });
});

it('lends a release that it is starting just now itself', async () => {
  await blog.releases.settle({ app: 'blog', keep: [name(1)], running: [] }, context());
  let answer = (_answer: { status: number; body: string }): void => undefined;
  const asked = new Promise<void>((resolve) => {
    blog.node.answer = () => {
      resolve();
      return new Promise((resolveAnswer) => {
        answer = resolveAnswer;
      });
    };
  });
  const staging = stage(1);
  await asked;
  expect(await lend(1, 1)).toContain(content(1));
  answer({ status: 200, body: '' });
  await staging;
});
