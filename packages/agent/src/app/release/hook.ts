import {
  appUser,
  type ReplyBody,
  type RequestBody,
  SlError,
  toSlError,
  type UpdateFetch,
} from '@silverlining/protocol';
import { appOf } from '../../core/release/choices.ts';
import { matchPath, requestPath } from '../../core/release/instance-env.ts';
import { hasProcess } from '../../core/release/instance-unit.ts';
import type { InstanceJournal } from '../../core/release/journal.ts';
import type { Handlers } from '../../ports.ts';
import type { ReleaseState } from './state.ts';

type Reply = ReplyBody<'hook'>;
type Order = RequestBody<'hook'>;
type Outcome = { ok: boolean; detail: string };

/** Runs the `update_fetch` lines of a staged instance, once for a deploy, and stops at the first that fails. */
export function createHook(state: ReleaseState): Handlers['hook'] {
  const running = new Map<string, Promise<Reply>>();
  return (order, { signal }) => {
    const key = `${order.instance} ${order.deploy}`;
    const known = running.get(key);
    if (known !== undefined) return known;
    const work = runOnce(state, order, signal).finally(() => running.delete(key));
    running.set(key, work);
    return work;
  };
}

async function runOnce(state: ReleaseState, order: Order, signal: AbortSignal): Promise<Reply> {
  const app = appOf(order.instance);
  const begun = await state.exclusive(app, () => begin(state, order));
  if ('results' in begun) return begun;
  const reply = await runLines(state, begun, order, signal);
  await state.exclusive(app, () => end(state, order, reply));
  return reply;
}

/** The instance whose lines are to be run, or the reply of an earlier run. */
async function begin(state: ReleaseState, order: Order): Promise<InstanceJournal | Reply> {
  const journal = state.journals.get(order.instance);
  if (journal?.state !== 'prepared') throw new SlError('E_NOT_FOUND', `${order.instance} is not staged on this node`);
  const before = journal.hooks[order.deploy];
  if (before?.state === 'done') return before.reply;
  if (before?.state === 'started') return interrupted(order);
  // On disk before the first line runs: an agent that starts again must not run them a second time.
  await state.put({ ...journal, hooks: { [order.deploy]: { state: 'started' } } });
  return journal;
}

/** An instance that was aborted meanwhile is gone and stays so, also where it was staged again for another deploy. */
async function end(state: ReleaseState, order: Order, reply: Reply): Promise<void> {
  const journal = state.journals.get(order.instance);
  if (journal?.hooks[order.deploy]?.state !== 'started') return;
  await state.put({ ...journal, hooks: { [order.deploy]: { state: 'done', reply } } });
}

async function runLines(
  state: ReleaseState,
  journal: InstanceJournal,
  order: Order,
  signal: AbortSignal,
): Promise<Reply> {
  const results: Reply['results'] = [];
  for (const fetch of order.fetches) {
    const begun = state.ports.clock.monotonic();
    const { ok, detail } =
      fetch.kind === 'path'
        ? await askPath(state, journal, { order, path: fetch.path, signal })
        : await runScript(state, journal, { order, argv: fetch.argv, signal });
    results.push({ fetch: nameOf(fetch), ok, detail, ms: state.ports.clock.monotonic() - begun });
    if (!ok) break;
  }
  return { results };
}

async function askPath(
  state: ReleaseState,
  { spec, port }: InstanceJournal,
  { order, path, signal }: { order: Order; path: string; signal: AbortSignal },
): Promise<Outcome> {
  if (!hasProcess(spec.platform)) return { ok: false, detail: 'a static app cannot answer update_fetch' };
  const headers = { Host: spec.health.host, 'X-Silver-Path': matchPath(spec), 'X-Silver-Update': order.turn };
  try {
    const question = { port, path: requestPath(spec, path), headers, timeout: order.timeout * 1000 };
    const { status, body } = await state.ports.http.get(question, signal);
    if (status >= 200 && status < 400) return { ok: true, detail: String(status) };
    return { ok: false, detail: `it answered ${status}: ${body.trim()}` };
  } catch (error) {
    return failure(error);
  }
}

async function runScript(
  state: ReleaseState,
  { spec, instance }: InstanceJournal,
  { order, argv, signal }: { order: Order; argv: string[]; signal: AbortSignal },
): Promise<Outcome> {
  const { places, scripts } = state.ports;
  const paths = state.pathsOf(spec.app, instance);
  const found = await scripts.find(paths.app, argv);
  if (found === undefined) {
    return { ok: false, detail: `${argv[0]}: no such program in bin/, in the app's folder, or on the system` };
  }
  const env = { ...(await places.readEnv(paths.env)), SILVER_UPDATE: order.turn };
  const user = appUser(spec.app);
  const script = { argv: found, cwd: paths.app, env, user, timeout: order.timeout * 1000 };
  try {
    return { ok: true, detail: (await scripts.run({ ...script, code: 'E_UPDATE_FETCH' }, signal)).join('\n') };
  } catch (error) {
    return failure(error);
  }
}

/** What went wrong; only a cancelled deploy is thrown on. */
function failure(error: unknown): Outcome {
  const { code, message, details } = toSlError(error);
  if (code === 'E_ABORTED') throw error;
  const log = details.log === undefined ? '' : `\n${details.log.join('\n')}`;
  return { ok: false, detail: code === 'E_DEADLINE' ? `${message}; it may have run${log}` : `${message}${log}` };
}

function interrupted(order: Order): Reply {
  const detail = 'the agent was interrupted while update_fetch ran: it may have run, in part or whole';
  return { results: order.fetches.slice(0, 1).map((fetch) => ({ fetch: nameOf(fetch), ok: false, detail, ms: 0 })) };
}

function nameOf(fetch: UpdateFetch): string {
  return fetch.kind === 'path' ? fetch.path : `script:${fetch.argv.join(' ')}`;
}
