/** What a bundle leaves behind when another one takes its place: the way back, for one that cannot take itself back. */

import { join } from 'node:path';
import { exists, linkDurable, rm, writeFileDurable } from '@silverlining/system';
import * as z from 'zod/mini';
import type { AgentPaths } from '../core/paths.ts';
import { afterCrash, type UpdateRecord } from '../core/update-record.ts';
import type { StateFile } from '../ports.ts';
import { stateFile } from './state-file.ts';

/** Milliseconds: the minute that a new bundle has (app/agent.ts), and some for one that is just taking itself back. */
const GUARD = 75_000;
/** With the id of an update: this process is what `takeBack` is for. */
export const TAKE_BACK = '--take-back';
/** With the id of an update: this process is what `countCrash` is for. */
export const CRASHED = '--crashed';

const updateRecord = z.object({
  ...{ previous: z.string(), next: z.string(), starts: z.number(), id: z.optional(z.string()) },
  crashes: z.optional(z.number()),
  before: z.optional(z.object({ runtime: z.optional(z.string()), unit: z.optional(z.string()) })),
});

export type RecordFile = StateFile<UpdateRecord | undefined>;

/** Does something on the machine that outlives this process. */
export interface UpdateHost {
  /** Runs a command once, so many milliseconds from now, whatever has become of this process by then. */
  later(argv: readonly string[], ms: number): Promise<void>;
  restartAgent(): Promise<void>;
  /** Has systemd read unit files anew. */
  reloadUnits(): Promise<void>;
}

export function recordFile(paths: AgentPaths): RecordFile {
  return stateFile(join(paths.state, 'update.json'), z.optional(updateRecord), undefined);
}

/** Before anything is replaced. Both ways back run by what runs now, and do nothing once the record has no update of that id. */
export async function armGuard(
  paths: AgentPaths,
  { digest, id }: { digest: string; id: string },
  host: UpdateHost,
): Promise<void> {
  const program = [process.execPath, bundleFile(paths, digest)];
  await host.later([...program, TAKE_BACK, id], GUARD);
  await writeFileDurable(paths.crashScript, crashScript([...program, CRASHED, id]), 0o755);
}

/** The unit has it run whenever the agent has ended: a timer is gone when the node was started again, and this is not. */
function crashScript(argv: readonly string[]): string {
  // Nothing to quote in it: paths of our own, a digest, and an id.
  return `#!/bin/sh\n[ "$SERVICE_RESULT" = success ] || exec ${argv.join(' ')}\n`;
}

/** When the new one has had its time. True when it was needed. */
export async function takeBack(paths: AgentPaths, id: string, host: UpdateHost): Promise<boolean> {
  const file = recordFile(paths);
  if ((await file.read())?.id !== id) return false;
  await rollBackTo(paths, file, host);
  await host.restartAgent();
  return true;
}

/**
 * When the agent has crashed. True when that was once too often: systemd, which waits for this process, starts the one before next.
 * Where `takeBack` comes in between, a record that is written here after it has the one before do the same again at its start.
 */
export async function countCrash(paths: AgentPaths, id: string, host: UpdateHost): Promise<boolean> {
  const file = recordFile(paths);
  const record = await file.read();
  if (record?.id !== id) return false;
  const counted = afterCrash(record);
  if (counted === undefined) await rollBackTo(paths, file, host);
  else await file.write(counted);
  return counted === undefined;
}

/**
 * The record goes after all that it tells of: cut off in between, it is done again. Where the node was set up anew meanwhile, the
 * bundle before is gone, and what was put there stays.
 */
export async function rollBackTo(paths: AgentPaths, file: RecordFile, host: UpdateHost): Promise<void> {
  const record = await file.read();
  if (record !== undefined) {
    const { previous, before } = record;
    if (await exists(bundleFile(paths, previous))) await putProgram(paths, { ...before, bundle: previous }, host);
    await file.write(undefined);
  }
  await rm(paths.crashScript, { force: true });
}

interface Program {
  /** Digests. */
  bundle: string;
  runtime?: string | undefined;
  /** Text of the unit file. */
  unit?: string | undefined;
}

/** Makes it what systemd starts next; what is not given stays as it is. */
export async function putProgram(
  paths: AgentPaths,
  { bundle, runtime, unit }: Program,
  host: UpdateHost,
): Promise<void> {
  if (runtime !== undefined) await linkDurable(paths.runtimeLink, `runtime/${runtime}/node`);
  if (unit !== undefined) await writeFileDurable(paths.unit, unit, 0o644);
  await linkDurable(paths.bundleLink, `agent/${bundle}/agent.js`);
  if (unit !== undefined) await host.reloadUnits();
}

export function bundleFile({ bundles }: AgentPaths, digest: string): string {
  return join(bundles, digest, 'agent.js');
}
