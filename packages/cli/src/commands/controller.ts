import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  daemonCommand,
  daemonEntry,
  daemonLogPath,
  findController,
  findDirectories,
  lastLogLines,
  makeDirectories,
  readLog,
  shareSshAgent,
  stopController,
} from '@silverlining/controller';
import { SlError } from '@silverlining/protocol';
import { type Context, endWithReader, note, type Report } from '../context.ts';
import { connect } from '../controller.ts';
import { daemonLogLine } from '../render/daemon-log.ts';
import { clock, dateTime, duration } from '../render/text.ts';

const FOLLOW_MS = 200;

export async function start(context: Context): Promise<Report> {
  const client = await connect(context);
  const info = await client.info();
  const log = daemonLogPath(findDirectories(context.env).state);
  return { json: { running: true, ...info, log }, lines: [`the controller runs, pid ${info.pid}`] };
}

export async function stop(context: Context, options: { force?: boolean }): Promise<Report> {
  const { state } = findDirectories(context.env);
  const stopped = await stopController(state, { force: options.force === true });
  return { json: { stopped }, lines: [stopped ? 'the controller was stopped' : 'no controller was running'] };
}

export async function status(context: Context): Promise<Report> {
  const { state } = findDirectories(context.env);
  const log = daemonLogPath(state);
  const found = await findController(state);
  if (found === undefined)
    return { json: { running: false, log }, lines: ['no controller is running; commands that need one start it'] };
  const { info } = found;
  return {
    json: { running: true, ...info, log },
    lines: [
      `controller ${info.version}, pid ${info.pid}, up ${duration(Date.now() - info.upSince)} (since ${dateTime(info.upSince)})`,
      `agents: port ${info.port}`,
      `socket: ${info.socket}`,
      `log:    ${log}`,
      `sets:   ${info.sets.join(' ') || 'none'}`,
      ...info.operations.map(
        (it) => `${it.kind} of ${it.set} since ${clock(it.since)}: follow it with sl deploy --attach ${it.id}`,
      ),
    ],
  };
}

export async function logs(context: Context, options: { lines: number; follow?: boolean }): Promise<Report> {
  endWithReader(context);
  const path = daemonLogPath(findDirectories(context.env).state);
  const print = (lines: readonly string[]) => {
    for (const line of lines)
      context.stdout.write(`${context.globals.json ? line : daemonLogLine(line, context.paint)}\n`);
  };
  const last = lastLogLines(path, options.lines);
  if (!options.follow && context.globals.json) return { json: { log: path, lines: last.lines }, lines: [] };
  print(last.lines);
  for (let { position } = last; options.follow; await sleep(FOLLOW_MS)) {
    const more = readLog(path, position);
    position = more.position;
    print(more.lines);
  }
  return { json: undefined, lines: [] };
}

/** The controller in the foreground, for a service manager or to watch it; its exit status is the command's. */
export async function run(context: Context): Promise<Report> {
  const directories = findDirectories(context.env);
  await makeDirectories(directories);
  await shareSshAgent(directories.state, context.env);
  note(context, 'running the controller in the foreground; Ctrl-C stops it');
  // A terminal's Ctrl-C reaches the child too; here it must not end the parent before it.
  const onInterrupt = () => undefined;
  const { args, env } = daemonCommand(daemonEntry(), context.env, directories);
  const child = spawn(process.execPath, args, { stdio: 'inherit', env });
  const onTerminate = () => child.kill('SIGTERM');
  process.on('SIGINT', onInterrupt).on('SIGTERM', onTerminate);
  const [status, signal] = await once(child, 'exit');
  const error =
    status === 0
      ? undefined
      : new SlError('E_CONTROLLER', `the controller ended with ${signal ?? `exit status ${status}`}`);
  return { json: undefined, lines: [], error };
}
