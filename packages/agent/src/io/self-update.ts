import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { SlError, toSlError } from '@silverlining/protocol';
import { exec, linkDurable, makeDirectoryDurable, writeFileDurable } from '@silverlining/system';
import * as z from 'zod/mini';
import type { AgentPaths } from '../core/paths.ts';
import { decideStart, type UpdateRecord } from '../core/update-record.ts';
import type { SelfUpdate, StateFile } from '../ports.ts';
import { stateFile } from './state-file.ts';

const MAX_BUNDLE = 32 << 20;
const TRY_DEADLINE = 20_000;
/** Milliseconds: the minute that a new bundle has (app/agent.ts), and some for one that is just taking itself back. */
const GUARD = 75_000;
/** With the digest of a new bundle: this process is what `takeBack` is for. */
export const TAKE_BACK = '--take-back';

const updateRecord = z.object({ previous: z.string(), next: z.string(), starts: z.number() });

/** Does something on the machine that outlives this process. */
export interface UpdateHost {
  /** Runs a command once, so many milliseconds from now, whatever has become of this process by then. */
  later(argv: readonly string[], ms: number): Promise<void>;
  restartAgent(): Promise<void>;
}

/** `bundle` is the file that this process runs from. */
export async function createSelfUpdate(paths: AgentPaths, bundle: string, host: UpdateHost): Promise<SelfUpdate> {
  const digest = sha256(await readFile(bundle));
  const file = recordFile(paths);
  const rollBack = () => rollBackTo(paths, file);
  return {
    digest,
    rollBack,
    async install(stream, wanted, signal) {
      const content = await collect(stream, signal);
      if (sha256(content) !== wanted) throw new SlError('E_CONFLICT', 'the bundle that came has another digest');
      const path = join(paths.bundles, wanted, 'agent.js');
      await makeDirectoryDurable(join(paths.bundles, wanted), 0o755);
      await writeFileDurable(path, content, 0o644);
      // A bundle that cannot even be loaded could not take itself back.
      await tryBundle(path, signal);
      const own = join(paths.bundles, digest, 'agent.js');
      await host.later([process.execPath, own, TAKE_BACK, wanted], GUARD);
      await file.write({ previous: digest, next: wanted, starts: 0 });
      await linkDurable(paths.bundleLink, `agent/${wanted}/agent.js`);
    },
    async begin() {
      const record = await file.read();
      const decision = decideStart(record, digest);
      if (decision.action === 'leave') await rollBack();
      else if (record !== undefined) await file.write(decision.record);
      return decision.action;
    },
    async confirm() {
      const record = await file.read();
      if (record === undefined) return;
      await file.write(undefined);
      await removeOthers(paths.bundles, [digest, record.previous]);
    },
  };
}

/**
 * What the bundle before was left to do when the new one has had its time: a bundle that cannot even start would never take
 * itself back. True when it was needed.
 */
export async function takeBack(paths: AgentPaths, next: string, host: UpdateHost): Promise<boolean> {
  const file = recordFile(paths);
  if ((await file.read())?.next !== next) return false;
  await rollBackTo(paths, file);
  await host.restartAgent();
  return true;
}

function recordFile(paths: AgentPaths): StateFile<UpdateRecord | undefined> {
  return stateFile(join(paths.state, 'update.json'), z.optional(updateRecord), undefined);
}

/** The link first: cut off in between, it is done again. */
async function rollBackTo(paths: AgentPaths, file: StateFile<UpdateRecord | undefined>): Promise<void> {
  const record = await file.read();
  if (record === undefined) return;
  await linkDurable(paths.bundleLink, `agent/${record.previous}/agent.js`);
  await file.write(undefined);
}

async function tryBundle(path: string, signal: AbortSignal): Promise<void> {
  try {
    await exec([process.execPath, path, '--try'], { signal, deadline: TRY_DEADLINE, code: 'E_CONFLICT' });
  } catch (cause) {
    await rm(dirname(path), { recursive: true, force: true });
    const { code, details } = toSlError(cause);
    throw new SlError(code, 'the bundle that came cannot be loaded on this node; the old one stays', {
      cause,
      details,
    });
  }
}

async function removeOthers(bundles: string, keep: readonly string[]): Promise<void> {
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

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
