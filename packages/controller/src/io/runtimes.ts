/** The Node binary that nodes run: out of the npm package `node-linux-ARCH`, the same that `sl` itself runs under. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { SlError } from '@silverlining/protocol';
import { exec, syncPath, writeFileDurable } from '@silverlining/system';
import { extract } from 'tar';
import * as z from 'zod/mini';

export type RuntimeArch = 'x64' | 'arm64';

export interface Runtime {
  arch: RuntimeArch;
  /** SHA-256 (hex) of the binary itself. */
  digest: string;
  /** The binary, compressed by gzip. */
  path: string;
  /** Bytes of the compressed file. */
  size: number;
}

/** The packages' version and their integrity as package-lock.json has them (a test compares). */
export const RUNTIME_VERSION = '24.21.0';
export const RUNTIME_INTEGRITY: Record<RuntimeArch, string> = {
  arm64: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  x64: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
};

const FETCH_DEADLINE = 180_000;
const DAY = 24 * 60 * 60_000;
/** It says what went wrong, and within seconds: by itself it would try for minutes, and whoever waits can do that as well. */
const NPM_OPTIONS = ['--loglevel=error', '--fetch-retries=1', '--fetch-retry-mintimeout=1000'];
const known = z.object({ source: z.string(), digest: z.string(), size: z.number() });

interface FindOptions {
  cache: string;
  report: (text: string) => void;
  signal: AbortSignal;
}

/** The compressed runtime, from the cache where it was made before. */
export async function findRuntime(arch: RuntimeArch, options: FindOptions): Promise<Runtime> {
  const directory = join(options.cache, 'runtime');
  await mkdir(directory, { recursive: true });
  const binary = installedBinary(arch) ?? (await fetchedBinary(arch, directory, options));
  const { size, mtimeMs } = await stat(binary);
  const source = `${RUNTIME_VERSION} ${size} ${mtimeMs}`;
  const index = join(directory, `${arch}.json`);
  const earlier = await readIndex(index);
  const pathOf = (digest: string) => join(directory, `${digest}.gz`);
  if (earlier?.source === source && (await sizeOf(pathOf(earlier.digest))) === earlier.size) {
    return { arch, path: pathOf(earlier.digest), digest: earlier.digest, size: earlier.size };
  }
  options.report(`compressing the Node ${RUNTIME_VERSION} runtime for ${arch}, once`);
  const temporary = join(directory, `${randomUUID()}.tmp`);
  const digest = await compress(binary, temporary, options.signal);
  await rename(temporary, pathOf(digest));
  await syncPath(directory);
  const compressed = (await stat(pathOf(digest))).size;
  await writeFileDurable(index, JSON.stringify({ source, digest, size: compressed }), 0o644);
  await removeFormer(directory);
  return { arch, path: pathOf(digest), digest, size: compressed };
}

/**
 * What earlier versions had, 40 MB of each, and what was cut off. Nothing of today: another process may be making it. One that still
 * needs what goes makes it anew.
 */
async function removeFormer(directory: string): Promise<void> {
  const kept = new Set<string>();
  for (const arch of Object.keys(RUNTIME_INTEGRITY)) {
    const index = await readIndex(join(directory, `${arch}.json`));
    for (const name of [`${arch}.json`, `${index?.digest}.gz`, `node-${RUNTIME_VERSION}-${arch}`]) kept.add(name);
  }
  for (const name of (await readdir(directory)).filter((it) => !kept.has(it))) {
    const path = join(directory, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > DAY) await rm(path, { recursive: true, force: true });
  }
}

/** Compresses into `target` and returns the SHA-256 of what was read. */
async function compress(binary: string, target: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const tap = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  try {
    // gzip and not something better: a bare Debian can unpack it.
    await pipeline(createReadStream(binary), tap, createGzip({ level: 6 }), createWriteStream(target), { signal });
  } catch (error) {
    await rm(target, { force: true });
    throw error;
  }
  return hash.digest('hex');
}

/** The binary of the package that npm installed for this machine's own architecture. */
function installedBinary(arch: RuntimeArch): string | undefined {
  try {
    return createRequire(import.meta.url).resolve(`node-linux-${arch}/bin/node`);
  } catch {
    return undefined;
  }
}

/** npm installs no package of another architecture, but packs one; its integrity is what this version was built with. */
async function fetchedBinary(arch: RuntimeArch, directory: string, { report, signal }: FindOptions): Promise<string> {
  const target = join(directory, `node-${RUNTIME_VERSION}-${arch}`);
  if ((await sizeOf(target)) !== undefined) return target;
  report(`fetching the Node ${RUNTIME_VERSION} runtime for ${arch}`);
  const work = await mkdtemp(join(directory, 'fetch-'));
  try {
    const spec = `node-linux-${arch}@${RUNTIME_VERSION}`;
    const argv = ['npm', 'pack', ...NPM_OPTIONS, `--pack-destination=${work}`, spec];
    await exec(argv, { cwd: work, signal, deadline: FETCH_DEADLINE, code: 'E_SSH' });
    const [name = ''] = (await readdir(work)).filter((file) => file.endsWith('.tgz'));
    await verify(join(work, name), arch);
    await extract({ file: join(work, name), cwd: work, strict: true }, ['package/bin/node']);
    await rename(join(work, 'package/bin/node'), target);
    return target;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function verify(archive: string, arch: RuntimeArch): Promise<void> {
  const hash = createHash('sha512');
  await pipeline(createReadStream(archive), hash);
  if (`sha512-${hash.digest('base64')}` === RUNTIME_INTEGRITY[arch]) return;
  throw new SlError('E_SSH', `node-linux-${arch} ${RUNTIME_VERSION} from the package registry is not the one expected`);
}

async function readIndex(path: string): Promise<z.infer<typeof known> | undefined> {
  try {
    return known.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

/** Of the file, in bytes; undefined where there is none. */
export async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    (it) => it.size,
    () => undefined,
  );
}
