/** Releases of an app `blog` that the controller lays out as images. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import type { App, ImageWish } from '@silverlining/protocol';
import { blobKey } from '@silverlining/system';
import { afterEach, beforeEach } from 'vitest';
import type { ImageForm } from '../../packages/agent/src/content-ports.ts';
import { createReleaseSource } from '../../packages/controller/src/io/release-source/index.ts';
import type { LaidImage, ReleaseSource, ScannedRelease } from '../../packages/controller/src/ports.ts';

const { signal } = new AbortController();
export const WISH: ImageWish = { support: { 'loader.py': 'load()\n' } };

interface Workstation {
  home: string;
  app: App;
  source: ReleaseSource;
}

/** Another one for each test of a file that calls `useImages`. */
export const workstation = {} as Workstation;

/** To be called once in a file, before its tests. */
export function useImages(): void {
  beforeEach(async () => {
    const home = await mkdtemp(join(tmpdir(), 'sl-image-'));
    const app = { name: 'blog', dir: join(home, 'app'), config: join(home, 'config') } as App;
    Object.assign(workstation, { home, app, source: createReleaseSource({ cache: join(home, 'cache') }) });
    await write('config/secret.ini', 'password');
    await write('app/bin/run', 'run', 0o755);
    for (let i = 0; i < 300; i++) await write(`app/lib/${i}`, contentOf(i));
    await write('app/twice', contentOf(7));
    await write('app/none', '');
    await symlink('lib/7', join(app.dir, 'link'));
  });
  afterEach(() => rm(workstation.home, { recursive: true }));
}

/** From nothing to some blocks. */
export const contentOf = (i: number) => `${i} `.repeat(i * 20);

export async function write(path: string, text: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(join(workstation.home, path)), { recursive: true });
  await writeFile(join(workstation.home, path), text, { mode });
}

export interface Laid {
  release: ScannedRelease;
  form: ImageForm;
  /** As it is sent. */
  bytes: Buffer;
  sha256: string;
}

/** All that is sent, as a socket takes it: with a copy. */
export async function sent(image: Pick<LaidImage, 'send'>): Promise<Buffer> {
  const parts: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      parts.push(Buffer.from(chunk));
      done();
    },
  });
  await image.send(sink, signal);
  return Buffer.concat(parts);
}

export async function layOut({ plain = true } = {}): Promise<Laid> {
  const release = await workstation.source.scan(workstation.app, signal);
  const image = workstation.source.image(workstation.app, release, { ...WISH, plain });
  try {
    const bytes = await sent(image);
    const { index, bytes: size, manifest } = image;
    return { release, form: { index, bytes: size, manifest, plain }, bytes, sha256: await image.sha256() };
  } finally {
    await image.close();
  }
}

/** Of all files, also where several have the same content. */
export const keysOf = ({ release }: Pick<Laid, 'release'>) => release.manifest.files.map((file) => blobKey(file));
