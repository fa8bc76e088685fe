import { createHash, randomUUID } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { SlError, toSlError } from '@silverlining/protocol';
import {
  exec,
  makeDirectoryDurable,
  readdir,
  readFile,
  readFileIfAny,
  readlink,
  removeTemporaries,
  removeTemporariesOf,
  rm,
  writeFileDurable,
} from '@silverlining/system';
import type { AgentPaths } from '../core/paths.ts';
import { flagsOfUnit } from '../core/unit-command.ts';
import { decideStart, type UpdateRecord } from '../core/update-record.ts';
import type { SelfUpdate } from '../ports.ts';
import { keepRuntime, removeRuntimes, runtimeFile } from './runtime-file.ts';
import {
  armGuard,
  bundleFile,
  putProgram,
  type RecordFile,
  recordFile,
  rollBackTo,
  type UpdateHost,
} from './update-guard.ts';

const MAX_BUNDLE = 32 << 20;
const TRY_DEADLINE = 20_000;

type Order = Parameters<SelfUpdate['install']>[1];

/** `bundle` is the file that this process runs from. */
export async function createSelfUpdate(paths: AgentPaths, bundle: string, host: UpdateHost): Promise<SelfUpdate> {
  const digest = sha256(await readFile(bundle));
  const unit = await readFileIfAny(paths.unit);
  const file = recordFile(paths);
  const rollBack = () => rollBackTo(paths, file, host);
  let isProving = false;
  return {
    program: {
      ...{ agentDigest: digest, runtime: process.versions.node },
      ...(unit === undefined ? {} : { unit: sha256(unit) }),
    },
    rollBack,
    takeRuntime: (stream, wanted, signal) => keepRuntime(paths.runtimes, { stream, digest: wanted }, signal),
    install: (stream, order, signal) => install({ paths, file, host, digest }, { stream, order }, signal),
    async begin() {
      const decision = decideStart(await file.read(), digest);
      isProving = decision.action === 'prove';
      if (decision.action === 'prove') await file.write(decision.record);
      // Where this is the old bundle yet, the update was cut off in the middle: nothing is left of it.
      else await rollBack();
      if (decision.action === 'nothing') await removeLitter(paths);
      return decision.action;
    },
    async confirm() {
      // An update that this process has just installed is for the next one to prove.
      const record = isProving ? await file.read() : undefined;
      if (record === undefined) return;
      isProving = false;
      await file.write(undefined);
      await removeOtherBundles(paths, [digest, record.previous]);
      const runtime = record.before?.runtime;
      if (runtime !== undefined) await removeRuntimes(paths.runtimes, [await runtimeInUse(paths), runtime]);
    },
  };
}

interface Installing {
  paths: AgentPaths;
  file: RecordFile;
  host: UpdateHost;
  /** Of the running bundle. */
  digest: string;
}

async function install(
  { paths, file, host, digest }: Installing,
  { stream, order }: { stream: Duplex; order: Order },
  signal: AbortSignal,
): Promise<void> {
  const content = await collect(stream, signal);
  if (sha256(content) !== order.digest) throw new SlError('E_CONFLICT', 'the bundle that came has another digest');
  const path = bundleFile(paths, order.digest);
  await makeDirectoryDurable(dirname(path), 0o755);
  await removeTemporaries(dirname(path));
  await writeFileDurable(path, content, 0o644);
  try {
    // What cannot even be loaded could not take itself back.
    await tryProgram(paths, order, signal);
  } catch (error) {
    if (order.digest !== digest) await rm(dirname(path), { recursive: true, force: true });
    throw error;
  }
  const id = randomUUID();
  await armGuard(paths, { digest, id }, host);
  await file.write({ previous: digest, next: order.digest, starts: 0, id, before: await replacedBy(paths, order) });
  await putProgram(paths, { ...order, bundle: order.digest }, host);
}

/** What there is now of what the order replaces beside the bundle. */
async function replacedBy(paths: AgentPaths, { runtime, unit }: Order): Promise<UpdateRecord['before']> {
  return {
    ...(runtime === undefined ? {} : { runtime: await runtimeInUse(paths) }),
    ...(unit === undefined ? {} : { unit: await readFileIfAny(paths.unit) }),
  };
}

async function runtimeInUse({ runtimeLink }: AgentPaths): Promise<string> {
  return basename(dirname(await readlink(runtimeLink)));
}

/** Has the new bundle loaded as the order would have it started. */
async function tryProgram(paths: AgentPaths, { digest, runtime, unit }: Order, signal: AbortSignal): Promise<void> {
  const node = runtime === undefined ? process.execPath : runtimeFile(paths.runtimes, runtime);
  const flags = unit === undefined ? [] : flagsOfUnit(unit, { node: paths.runtimeLink, bundle: paths.bundleLink });
  if (flags === undefined) throw new SlError('E_CONFLICT', 'the unit file that came starts something else');
  const argv = [node, ...flags, bundleFile(paths, digest), '--try'];
  try {
    await exec(argv, { signal, deadline: TRY_DEADLINE, code: 'E_CONFLICT' });
  } catch (cause) {
    const { code, details } = toSlError(cause);
    throw new SlError(code, 'the bundle that came cannot be loaded on this node; the old one stays', {
      cause,
      details,
    });
  }
}

/** What a cut left half-written beside what is replaced. As the agent begins, and no update is under way, nobody is writing there. */
async function removeLitter(paths: AgentPaths): Promise<void> {
  for (const folder of [paths.state, paths.bundles]) await removeTemporaries(folder);
  const replaced = [paths.unit, paths.runtimeLink, paths.bundleLink, paths.topology, paths.certificate];
  for (const path of replaced) await removeTemporariesOf(path);
}

async function removeOtherBundles({ bundles }: AgentPaths, keep: readonly string[]): Promise<void> {
  const others = (await readdir(bundles)).filter((name) => !keep.includes(name));
  for (const name of others) await rm(join(bundles, name), { recursive: true, force: true });
}

async function collect(stream: Duplex, signal: AbortSignal): Promise<Buffer> {
  const stop = () => stream.destroy(new SlError('E_ABORTED', 'the update was cancelled'));
  signal.addEventListener('abort', stop, { once: true });
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of stream) {
      const bytes = Buffer.from(chunk);
      chunks.push(bytes);
      size += bytes.length;
      if (size > MAX_BUNDLE) throw new SlError('E_CONFLICT', 'the bundle is too large');
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
  return Buffer.concat(chunks);
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
