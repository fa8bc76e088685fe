/** What is pushed to nodes: the agent's bundles, made from source, and the Node runtime of an npm package. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { SlError, toSlError } from '@silverlining/protocol';
import { makeDirectoryDurable, writeFileDurable } from '@silverlining/system';
import { build, stop } from 'esbuild';
import { findRuntime, type Runtime, type RuntimeArch, sizeOf } from './runtimes.ts';

const UNIT = new URL('../../../../bootstrap/silver-agent.service', import.meta.url);

export interface Artifact {
  path: string;
  /** SHA-256, hex. */
  digest: string;
  /** Bytes. */
  size: number;
}

export interface Artifacts {
  /** The resident agent, one file. */
  agentBundle(): Promise<Artifact>;
  /** The agent's unit file; its digest as that of an artifact. */
  agentUnit(): Promise<{ text: string; digest: string }>;
  /** The program that makes the key and the certificate request, run once by the bootstrap. */
  enrolBundle(): Promise<Artifact>;
  /** The Node binary for nodes of the architecture, compressed. Fetched when this machine has only another one's. */
  runtime(arch: RuntimeArch, report: (text: string) => void, signal: AbortSignal): Promise<Runtime>;
}

/** Everything is made once a process and kept by digest under `cache`, which may be cleared meanwhile. */
export function createArtifacts(cache: string, agentEntry = agentSource('start.ts')): Artifacts {
  const agentBundle = once(() => bundle(agentEntry, 'agent', cache), isThere);
  const enrolBundle = once(() => bundle(agentSource('enrol.ts'), 'enrol', cache), isThere);
  const runtime = (arch: RuntimeArch) => {
    const make = async (report: (text: string) => void, signal: AbortSignal) => {
      try {
        // Of one that gave up waiting while another one made it.
        signal.throwIfAborted();
        return await findRuntime(arch, { cache, report, signal });
      } catch (cause) {
        throw signal.aborted ? cancelled(cause) : cause;
      }
    };
    const get = once(make, isThere);
    return (report: (text: string) => void, signal: AbortSignal) => unlessAborted(get(report, signal), signal);
  };
  const runtimes = { x64: runtime('x64'), arm64: runtime('arm64') };
  return {
    agentBundle,
    agentUnit: once(async () => {
      const text = await readFile(UNIT, 'utf8');
      return { text, digest: sha256(text) };
    }),
    enrolBundle,
    runtime: (arch, report, signal) => runtimes[arch](report, signal),
  };
}

/** Bundles a program for bare nodes and stores it by its digest. */
async function bundle(entry: string, name: string, cache: string): Promise<Artifact> {
  const content = await bundled(entry).catch((cause: unknown) => {
    throw new SlError('E_INTERNAL', `${entry} could not be bundled`, { cause });
  });
  const digest = sha256(content);
  const path = join(cache, 'agent', digest, `${name}.js`);
  await makeDirectoryDurable(dirname(path), 0o755);
  await writeFileDurable(path, content, 0o644);
  return { path, digest, size: content.length };
}

let bundling = 0;

async function bundled(entry: string): Promise<Uint8Array> {
  bundling++;
  try {
    const { outputFiles } = await build({
      entryPoints: [entry],
      bundle: true,
      write: false,
      platform: 'node',
      target: 'node24',
      format: 'cjs',
      minify: true,
      legalComments: 'none',
      logLevel: 'silent',
    });
    return outputFiles[0]?.contents ?? new Uint8Array();
  } finally {
    bundling--;
    // Its process would stay as long as this one, with 67 MB, for what is made once.
    if (bundling === 0) await stop();
  }
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function agentSource(name: string): string {
  return join(dirname(createRequire(import.meta.url).resolve('@silverlining/agent/package.json')), 'src', name);
}

/** A file that was cut short would leave the node that is sent it waiting for the rest. */
async function isThere({ path, size }: { path: string; size: number }): Promise<boolean> {
  return (await sizeOf(path)) === size;
}

function cancelled(cause: unknown): SlError {
  return new SlError('E_ABORTED', 'making the runtime was cancelled', { cause });
}

/**
 * Remembers the first success for as long as it holds. After a failure the next one to ask tries again; who asked meanwhile shares it,
 * unless whoever asked first was only cancelled.
 */
function once<A extends unknown[], T>(
  make: (...args: A) => Promise<T>,
  holds: (made: T) => Promise<boolean> = async () => true,
): (...args: A) => Promise<T> {
  let made: Promise<T> | undefined;
  const forget = (it: Promise<T>) => {
    if (made === it) made = undefined;
  };
  const get = async (...args: A): Promise<T> => {
    if (made === undefined) {
      const making = make(...args);
      made = making;
      making.catch(() => forget(making));
      return making;
    }
    const known = made;
    const isGood = await known.then(holds).catch((error: unknown) => {
      if (toSlError(error).code !== 'E_ABORTED') throw error;
      return false;
    });
    if (isGood) return known;
    forget(known);
    return get(...args);
  };
  return get;
}

/** What others wait for as well goes on. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(cancelled(signal.reason));
    if (signal.aborted) giveUp();
    signal.addEventListener('abort', giveUp, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
  });
}
