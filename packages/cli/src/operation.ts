import { type ControllerClient, daemonLogPath, findController, findDirectories } from '@silverlining/controller';
import { type OperationEvent, SlError, toSlError } from '@silverlining/protocol';
import type { Context, Report } from './context.ts';
import { createProgressView, type ProgressView } from './render/live-screen.ts';
import { readResult, resultLines } from './render/result.ts';

export interface OperationEnd {
  result?: unknown;
  error?: SlError | undefined;
  interrupted: boolean;
  /** Milliseconds that it took, seen from here. */
  ms: number;
}

type Events = (signal: AbortSignal) => AsyncIterable<OperationEvent>;

/**
 * Follows an operation to its end and shows its progress. The first Ctrl-C asks it to stop and goes on to the end,
 * the second one does not wait for that.
 */
export async function followOperation(
  context: Context,
  client: ControllerClient,
  events: Events,
): Promise<OperationEnd> {
  const started = performance.now();
  const view = createProgressView(context);
  const interrupts = watchInterrupts(client, view);
  let last: OperationEvent | undefined;
  let thrown: SlError | undefined;
  let begun: Begun | undefined;
  try {
    for await (const event of events(interrupts.left)) {
      last = event;
      if (event.type === 'operation') {
        begun = event;
        interrupts.name(event.id);
      }
      if (event.type === 'progress') view.event(event);
    }
  } catch (error) {
    thrown = toSlError(error);
  }
  view.end();
  const end = endOf(last) ?? { error: await cutOff(context, thrown, begun) };
  interrupts.stop();
  return { ...end, interrupted: interrupts.happened(), ms: performance.now() - started };
}

type Begun = Extract<OperationEvent, { type: 'operation' }>;

function endOf(last: OperationEvent | undefined): Pick<OperationEnd, 'result' | 'error'> | undefined {
  if (last?.type === 'done') return { result: last.result };
  if (last?.type === 'failed') return { result: last.result, error: SlError.fromWire(last.error) };
  return undefined;
}

/** Why the events ended before the operation did. */
async function cutOff(context: Context, thrown: SlError | undefined, begun: Begun | undefined): Promise<SlError> {
  if (begun === undefined) return neverBegun(thrown);
  const { id, kind } = begun;
  const attach = `sl deploy --attach ${id}`;
  const details = { operation: id };
  if (thrown?.code === 'E_ABORTED')
    return new SlError(
      'E_ABORTED',
      `left while the controller was stopping it, which goes on: before the switch nothing changes, what is committed is finished. Follow it to its end with: ${attach}`,
      { details },
    );
  const { state } = findDirectories(context.env);
  const lives = await findController(state).catch(() => true);
  const message =
    lives === undefined
      ? `the controller ended in the middle of it. What it had committed is finished by the next one, nothing else was switched: run sl ${kind} again, or ask how it ended with: ${attach} (its log: ${daemonLogPath(state)})`
      : `the connection to the controller broke, what it was doing goes on; follow it again with: ${attach}`;
  return new SlError('E_CONTROLLER', message, { cause: thrown, details });
}

function neverBegun(thrown: SlError | undefined): SlError {
  if (thrown?.code !== 'E_ABORTED')
    return thrown ?? new SlError('E_CONTROLLER', 'the controller ended before it began');
  return new SlError('E_ABORTED', 'left before the controller had answered; whether it began: sl controller status');
}

/**
 * SIGINT and SIGTERM while an operation runs: cancel it, then leave it. Until the controller has said what it is called there is
 * nothing to cancel it by, but it may run already.
 */
function watchInterrupts(client: ControllerClient, view: ProgressView) {
  const leave = new AbortController();
  let id: string | undefined;
  let count = 0;
  const cancel = (operation: string) => {
    client.cancel(operation).catch((error) => view.note(`could not be stopped: ${toSlError(error).message}`));
  };
  const onSignal = () => {
    count += 1;
    if (count > 1) return leave.abort();
    view.note('stopping; once more (Ctrl-C) does not wait until it has stopped');
    if (id !== undefined) cancel(id);
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return {
    left: leave.signal,
    name: (operation: string) => {
      id = operation;
      if (count === 1) cancel(id);
    },
    happened: () => count > 0,
    /** Not before the report is written, which waits for nothing: without it nobody knows how the operation ended. */
    stop: () => void setImmediate(() => process.off('SIGINT', onSignal).off('SIGTERM', onSignal)),
  };
}

/** The report of an operation. `empty` stands for its result when it failed before it had one. */
export function operationReport(context: Context, end: OperationEnd, empty: Record<string, unknown>): Report {
  const result = readResult(end.result);
  const json = typeof end.result === 'object' && end.result !== null ? { ...end.result } : {};
  const lines = resultLines(result, end.error === undefined ? end.ms : undefined, context.paint);
  return {
    json: { ...empty, ...json },
    lines:
      end.interrupted && end.error === undefined
        ? [...lines, 'it was past the point of no return, so it was finished']
        : lines,
    error: end.error ?? failedDeploy(result),
    interrupted: end.interrupted,
  };
}

/** A deploy that did not end well is a failure of the command, whatever the operation as a whole says. */
function failedDeploy({ deploys }: ReturnType<typeof readResult>): SlError | undefined {
  const failed = deploys.find((it) => it.outcome === 'aborted' || it.outcome === 'rolled-back');
  if (failed === undefined) return undefined;
  if (failed.error !== undefined) return SlError.fromWire(failed.error);
  return new SlError('E_SWITCH', `${failed.app}: ${failed.instance} was ${failed.outcome}`);
}
