import { type AppAnswer, type HealthReport, type ReplyBody, toSlError } from '@silverlining/protocol';
import { hasProcess } from '../../core/release/instance-unit.ts';
import type { InstanceJournal } from '../../core/release/journal.ts';
import { finish } from './remove.ts';
import { healthQuestion } from './start.ts';
import type { ReleaseState } from './state.ts';
import { ensureInForce } from './switch.ts';
import { startAgain } from './unstarted.ts';

type AppHealth = HealthReport['apps'][number];
const TIMEOUT = 5_000;
/** Of all logs in an answer. A message has room for 1 MiB, where JSON may write six bytes for one. */
const LOG_BYTES = 128 << 10;

/** Asks the active instance of each app that is here over its health path. What failed here before is tried again. */
export async function appHealth(state: ReleaseState, signal: AbortSignal): Promise<AppHealth[]> {
  const trouble = await problemOf('what can be asked on this node could not be written down', async () => {
    await startAgain(state, signal);
    await state.refreshProxy();
  });
  // Nobody waits for it: an app may take its time to stop, and a deploy goes first.
  finish(state).catch((error: unknown) => state.ports.warn(toSlError(error).message));
  const running = activeHere(state).filter((it) => hasProcess(it.spec.platform));
  const [answers, statuses] = await Promise.all([
    appAnswers(state, signal, trouble),
    state.ports.units.status(running.map((it) => it.instance)),
  ]);
  return answers.map((it) => ({ ...it, restarts: statuses.get(it.instance)?.restarts ?? 0 }));
}

/** The same without what only systemd knows, and so without a process; unless lines of the apps' logs are wanted. */
export async function servingAnswers(
  state: ReleaseState,
  signal: AbortSignal,
  lines = 0,
): Promise<ReplyBody<'serving'>['apps']> {
  const { units } = state.ports;
  const answers = await appAnswers(state, signal);
  return Promise.all(
    answers.map(async (it) => {
      const run = units.currentRun(it.instance);
      return {
        ...it,
        ...(run === undefined ? {} : { run }),
        ...(lines === 0 ? {} : { log: await units.log(it.instance, lines, LOG_BYTES / answers.length) }),
      };
    }),
  );
}

/** `trouble`: why none of them can be healthy, where that is known already. */
async function appAnswers(state: ReleaseState, signal: AbortSignal, trouble?: string): Promise<AppAnswer[]> {
  const what = 'the committed map is not in force on this node';
  const problem = (await problemOf(what, () => ensureInForce(state, signal))) ?? trouble;
  return Promise.all(
    activeHere(state).map(async (it) => ({
      app: it.spec.app,
      instance: it.instance,
      ...(problem === undefined ? await ask(state, it, signal) : { healthy: false, error: problem }),
    })),
  );
}

/** Why visitors may not get what is active here. It is reported, since a node that says nothing says less: also not that its disk is full. */
async function problemOf(what: string, act: () => Promise<void>): Promise<string | undefined> {
  try {
    await act();
    return undefined;
  } catch (error) {
    return `${what}: ${toSlError(error).message}`;
  }
}

function activeHere(state: ReleaseState): InstanceJournal[] {
  return state.all().filter((it) => state.active[it.spec.app] === it.instance);
}

async function ask(
  state: ReleaseState,
  journal: InstanceJournal,
  signal: AbortSignal,
): Promise<Pick<AppAnswer, 'healthy' | 'status' | 'error'>> {
  if (journal.state !== 'prepared') return { healthy: false, error: `it is ${journal.state} on this node` };
  if (!hasProcess(journal.spec.platform)) return { healthy: true };
  try {
    const { status } = await state.ports.http.get(healthQuestion(journal, TIMEOUT), signal);
    return { healthy: status >= 200 && status < 400, status };
  } catch (error) {
    return { healthy: false, error: toSlError(error).message };
  }
}
