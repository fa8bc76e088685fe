import { createHash } from 'node:crypto';
import {
  type InstanceSpec,
  type Manifest,
  manifestText,
  type ReplyBody,
  type RequestBody,
} from '@silverlining/protocol';
import {
  BLOCK,
  blobKey,
  erofsMetadata,
  imageEntries,
  indexLine,
  LISTING,
  SUPERBLOCK_AT,
  SYMBOLIC_OWNERS,
} from '@silverlining/system';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  blog,
  content,
  context,
  manifestOf,
  name,
  offer,
  specOf,
  stage,
  useBlog,
} from '../../../../test/fakes/blog.ts';

useBlog();

const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');

/** A release as it comes, with contents that stand in the order of its files. */
function imageOf(manifest: Manifest, contents: readonly string[]) {
  const parts = [
    Buffer.alloc(BLOCK),
    Buffer.from(manifestText(manifest)),
    ...contents.map((text) => Buffer.from(text)),
  ];
  const blocks = parts.map((part) =>
    Buffer.concat([part, Buffer.alloc(BLOCK)], Math.ceil(part.length / BLOCK) * BLOCK),
  );
  const placeOf = (i: number) => {
    const offset = blocks.slice(0, i).reduce((sum, it) => sum + it.length, 0);
    return { offset, size: parts[i]?.length ?? 0 };
  };
  const places = new Map(manifest.files.map((file, i) => [blobKey(file), placeOf(i + 2)]));
  const owners = SYMBOLIC_OWNERS;
  const entries = imageEntries({
    ...{ manifest, owners, support: {}, own: { [LISTING]: placeOf(1) } },
    placeOf: (file) => places.get(blobKey(file)) ?? expect.unreachable(),
  });
  const metadata = erofsMetadata(entries, { at: placeOf(blocks.length).offset, builtAt: 0 });
  metadata.superblock.copy(blocks[0] ?? expect.unreachable(), SUPERBLOCK_AT);
  const image = Buffer.concat([...blocks, metadata.blocks]);
  const index = Buffer.from([...places].map(([key, place]) => indexLine(key, place)).join(''));
  const form = { index: index.length, bytes: image.length, manifest: placeOf(1).size };
  return { form, bytes: Buffer.concat([index, image]), lastContent: index.length + placeOf(parts.length - 1).offset };
}

const imageOfBlog = (n: number) => imageOf(manifestOf(n), ['shared', content(n)]);
const keys = (n: number) => manifestOf(n).files.map((file) => blobKey(file));
const digestOf = (n: number) => sha256(manifestText(manifestOf(n)));

const offerImage = (n: number, change: Partial<RequestBody<'offer'>> = {}): Promise<ReplyBody<'offer'>> => {
  const image = { platform: 'python' as const, files: 2, bytes: 5 * BLOCK, sample: keys(n) };
  return blog.releases.offer({ instance: name(n), app: 'blog', digest: digestOf(n), image, ...change }, context());
};
const send = (n: number, { form, bytes } = imageOfBlog(n)) =>
  blog.releases.image({ instance: name(n), transfer: 'transfer-of-the-test', plain: true, ...form }, context(bytes));
const order = (n: number, image: string, spec: Partial<InstanceSpec> = {}) =>
  blog.releases.stage({ instance: name(n), deploy: 'D', epoch: 0, spec: specOf(n, spec), image }, context());

describe('an offer of an image', () => {
  it('is answered with what the image has to be made with, where nothing of it is here', async () => {
    const { missing, image } = await offerImage(1);
    expect([missing, Object.keys(image?.support ?? {})]).toEqual(['', ['silver_loader.py', 'silver_wsgi.py']]);
  });

  it.each<[string, Partial<RequestBody<'offer'>>]>([['a script of its own is to add to it', { scripted: true }]])(
    'is not wanted where %s',
    async (_why, change) => {
      expect((await offerImage(1, change)).image).toBeUndefined();
    },
  );

  it('is not wanted where some of it is here', async () => {
    await stage(1);
    expect((await offerImage(2)).image).toBeUndefined();
  });

  it('is refused where there is no room', async () => {
    const image = { platform: 'static' as const, files: 2, bytes: 2 ** 50, sample: keys(1) };
    await expect(offerImage(1, { image })).rejects.toMatchObject({ code: 'E_DISK_FULL' });
  });

  it('is refused for another app', async () => {
    await expect(offerImage(1, { app: 'shop' })).rejects.toMatchObject({ code: 'E_MANIFEST' });
  });
});

describe('an image', () => {
  beforeEach(() => offerImage(1));

  it('is staged when the order says its digest', async () => {
    const laid = imageOfBlog(1);
    const coming = send(1, laid);
    expect(blog.releases.isStaging()).toBe(true);
    await coming;
    expect(blog.releases.isStaging()).toBe(false);
    const staging = order(1, sha256(laid.bytes));
    expect(blog.releases.isStaging()).toBe(true);
    await staging;
    expect(blog.releases.isStaging()).toBe(false);
    expect(await blog.releases.instances()).toMatchObject([{ instance: name(1), digest: digestOf(1) }]);
  });

  it('is refused when it is another one than the order says, and what is right in it need not come again', async () => {
    const laid = imageOfBlog(1);
    laid.bytes[laid.lastContent] = 0;
    await send(1, laid);
    await expect(order(1, sha256(imageOfBlog(1).bytes))).rejects.toMatchObject({
      code: 'E_MANIFEST',
      message: `the image of ${name(1)} came damaged`,
    });
    expect(await blog.releases.instances()).toEqual([]);
    const { missing } = await offer(1);
    // The second of two files.
    expect(missing).toBe(Buffer.from([0b10]).toString('base64'));
    await stage(1);
  });

  it('is refused when it is of another release than was offered', async () => {
    const laid = imageOfBlog(2);
    await send(1, laid);
    await expect(order(1, sha256(laid.bytes))).rejects.toMatchObject({
      code: 'E_MANIFEST',
      message: expect.stringContaining(`the image of ${name(1)} is of another release`),
    });
  });

  it('is refused with a manifest that breaks a rule', async () => {
    const listed = manifestOf(1);
    const laid = imageOf({ ...listed, files: [...listed.files].reverse() }, [content(1), 'shared']);
    await send(1, laid);
    await expect(order(1, sha256(laid.bytes))).rejects.toMatchObject({ code: 'E_MANIFEST' });
  });

  it('is refused without the runner', async () => {
    const laid = imageOfBlog(1);
    await send(1, laid);
    await expect(order(1, sha256(laid.bytes), { runner: 'other.js' })).rejects.toMatchObject({
      code: 'E_APP_CONFIG',
      message: 'runner "other.js" is not a file of the release',
    });
  });

  it('is not taken unless it was offered, nor staged unless it came', async () => {
    await expect(send(2)).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    await expect(order(1, sha256('nothing'))).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    await offer(1);
    await expect(send(1)).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  });
});
