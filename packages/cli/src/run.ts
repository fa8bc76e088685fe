import { type SlError, toSlError } from '@silverlining/protocol/errors';
import type { Command } from 'commander';
import { type Context, createContext, type Globals, type Report } from './context.ts';
import { exitStatus } from './exit-status.ts';
import { errorLines } from './render/error.ts';

export type Work = (context: Context, command: Command) => Report | Promise<Report>;

/** Makes a commander action out of a command's work. */
export type Act = (work: Work) => (...args: unknown[]) => Promise<void>;

/** Runs a command's work and writes its report; returns the exit status. */
export async function runCommand(command: Command, work: Work): Promise<number> {
  const context = createContext(globalsOf(command));
  const report = await reportOf(context, command, work);
  writeReport(context, report);
  return exitStatus(report);
}

async function reportOf(context: Context, command: Command, work: Work): Promise<Report> {
  try {
    return await work(context, command);
  } catch (thrown) {
    return { json: {}, lines: [], error: toSlError(thrown) };
  }
}

/** The document or the lines on standard output; the error for people on standard error in both cases. */
function writeReport({ globals, stdout, stderr, paintError }: Context, { json, lines, error }: Report): void {
  if (globals.json) writeDocument(stdout, json, error);
  else if (lines.length > 0) stdout.write(`${lines.join('\n')}\n`);
  if (error !== undefined) stderr.write(`${errorLines(error, globals.verbose, paintError).join('\n')}\n`);
}

function writeDocument(stdout: NodeJS.WriteStream, json: Report['json'], error: SlError | undefined): void {
  if (json === undefined && error === undefined) return;
  stdout.write(`${JSON.stringify(document(json ?? {}, error), undefined, 2)}\n`);
}

/** The document of `--json`. */
export function document(json: Record<string, unknown>, error: SlError | undefined): Record<string, unknown> {
  if (error === undefined) return { ok: true, ...json };
  const { code, message, details } = error;
  return {
    ok: false,
    ...json,
    error: { code, message, ...(details.node === undefined ? {} : { node: details.node }), details },
  };
}

/** Global options may stand before the command or after it; the nearest one counts. */
function globalsOf(command: Command): Globals {
  const chain: Command[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) chain.unshift(at);
  const given = chain.map((it) => it.opts<Partial<Globals>>());
  return {
    file: given.findLast((it) => it.file !== undefined)?.file,
    yes: given.some((it) => it.yes === true),
    json: given.some((it) => it.json === true),
    color: given.every((it) => it.color !== false),
    verbose: given.some((it) => it.verbose === true),
  };
}
