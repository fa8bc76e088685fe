import {
  appUser,
  type InstanceSpec,
  type ReplyBody,
  type RequestBody,
  SlError,
  toSlError,
} from '@silverlining/protocol';
import { hasProcess } from '../../core/release/instance-unit.ts';
import type { InstanceJournal } from '../../core/release/journal.ts';
import { supportFiles } from '../../core/release/python-wrapper.ts';
import type { Handlers, RequestContext } from '../../ports.ts';
import { type Brought, bringFiles } from './receive.ts';
import { discard, halt } from './remove.ts';
import { install, involvesOthers, prepare, start, waitHealthy } from './start.ts';
import type { ReleaseState, Staging } from './state.ts';

type Times = ReplyBody<'stage'>['ms'];
type Order = RequestBody<'stage'>;

/**
 * Brings a release onto the node and starts it beside the others. The reply is the node's vote: it is durable, and
 * the instance answers. When anything fails, what was made for it is gone again and the others are untouched.
 */
export function createStage(state: ReleaseState): Handlers['stage'] {
  return async (body, context) => {
    state.requireEpoch(body.epoch);
    if (body.spec.instance !== body.instance || !body.instance.startsWith(`${body.spec.app}.`)) {
      throw new SlError('E_FRAME', `stage: the specification of ${body.spec.instance} came for ${body.instance}`);
    }
    for (
      let other = state.stagings.get(body.instance);
      other !== undefined;
      other = state.stagings.get(body.instance)
    ) {
      await outlast(other, body.instance);
    }
    const abort = new AbortController();
    const inner = { ...context, signal: AbortSignal.any([context.signal, abort.signal]) };
    const work = state.exclusive(body.spec.app, () => {
      inner.signal.throwIfAborted();
      return state.journals.has(body.instance) ? stageAgain(state, body, inner) : stageNew(state, body, inner);
    });
    const ended = work.then(
      () => undefined,
      () => undefined,
    );
    state.stagings.set(body.instance, { abort, ended, signal: inner.signal });
    try {
      return await work;
    } finally {
      state.stagings.delete(body.instance);
    }
  };
}

/** One that was given up, with a connection say, may still be undoing what it did. E_CONFLICT for any other. */
async function outlast({ signal, ended }: Staging, instance: string): Promise<void> {
  if (!signal.aborted) throw new SlError('E_CONFLICT', `${instance} is being staged already`);
  await ended;
}

async function stageNew(state: ReleaseState, body: Order, context: RequestContext): Promise<ReplyBody<'stage'>> {
  const { instance, spec } = body;
  const offer = state.offers.get(instance);
  if (offer === undefined) throw new SlError('E_NOT_FOUND', `${instance} was not offered to this node; offer it again`);
  redeem(state, instance);
  const lap = stopwatch(state);
  try {
    const files = await bringFiles(state, body, offer, context);
    const received = lap();
    await materialise(state, spec, files);
    // All of its files were looked for: there is a release again that others can build on.
    if (files.isWhole) state.doubted.delete(spec.app);
    const unpacked = lap();
    const port = hasProcess(spec.platform) ? await state.reservePort(instance) : 0;
    await prepare(state, spec, port, context);
    const journal = newJournal(body, offer.digest, port);
    const times = await vote(state, { journal, spec, context, lap, isNew: true });
    return { port, ms: { received, unpacked, ...times } };
  } catch (error) {
    if (toSlError(error).code === 'E_MANIFEST') state.doubt(spec.app);
    await undo(state, () => discard(state, spec.app, [instance]));
    throw error;
  } finally {
    state.releasePort(instance);
    state.dropOffer(instance, offer);
  }
}

/** Whatever was to be undone of an earlier try is wanted from here on. An order that comes too late leaves it to be undone. */
function redeem(state: ReleaseState, instance: string): void {
  state.unfinished.delete(instance);
}

/** A release that is on disk already: a rollback to it, or the same order again. */
async function stageAgain(state: ReleaseState, body: Order, context: RequestContext): Promise<ReplyBody<'stage'>> {
  const { instance, spec } = body;
  const known = state.journals.get(instance);
  if (known === undefined || known.state === 'failed') return rebuild(state, body, context);
  redeem(state, instance);
  const offer = state.offers.get(instance);
  const lap = stopwatch(state);
  const wasRunning = known.state === 'prepared' && (await isRunning(state, known));
  let { port } = known;
  try {
    const free = wasRunning || port === 0 || (await state.ports.http.isFree(port));
    if (!free) {
      const other = await state.reservePort(instance);
      // Before it listens there: an agent that is killed in between would send its requests to whoever has the first one.
      await state.put({ ...known, port: other });
      port = other;
    }
    const journal: InstanceJournal = {
      ...known,
      spec: withoutSecrets(spec),
      epoch: body.epoch,
      port,
      state: 'prepared',
    };
    if (!wasRunning) await prepare(state, spec, port, context);
    const times = await vote(state, { journal, spec, context, lap, isNew: false });
    return { port, ms: { received: 0, unpacked: 0, ...times } };
  } catch (error) {
    const isUndone = !wasRunning && state.active[spec.app] !== instance;
    if (isUndone) await undo(state, () => halt(state, [instance]));
    // What is live is tried again, whoever asked for it once more: where somebody else has its port, at the other one.
    else if (port !== known.port) await undo(state, () => install(state, spec, port));
    throw error;
  } finally {
    state.releasePort(instance);
    state.dropOffer(instance, offer);
  }
}

/** What is damaged on disk is made again from contents, which are checked one by one as they come. */
async function rebuild(state: ReleaseState, body: Order, context: RequestContext): Promise<ReplyBody<'stage'>> {
  if (!state.offers.has(body.instance)) {
    throw new SlError('E_NOT_FOUND', `${body.instance} is damaged on this node; offer it again`);
  }
  await discard(state, body.spec.app, [body.instance]);
  // systemd still has the units that these files made, and what they said that has to be there first.
  await state.ports.units.reload();
  return stageNew(state, body, context);
}

/** What went wrong is what the caller has to hear, not that it could not be undone; that is tried again. */
async function undo(state: ReleaseState, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    state.ports.warn(`not all of a failed staging is gone yet: ${toSlError(error).message}`);
  }
}

interface Launch {
  journal: InstanceJournal;
  spec: InstanceSpec;
  context: RequestContext;
  /** Whether its files came with this order. */
  isNew: boolean;
  /** Milliseconds since its last call. */
  lap(): number;
}

/** Starts the instance while the disk takes what was written; the journal, written last, is the vote. */
async function vote(state: ReleaseState, launch: Launch): Promise<Pick<Times, 'started' | 'healthy'>> {
  const { spec, isNew } = launch;
  const written = involvesOthers(spec) ? 'anything' : { app: spec.app, instance: spec.instance, isNew };
  const [times, synced] = await Promise.allSettled([startHealthy(state, launch), state.ports.sync(written)]);
  if (times.status === 'rejected') throw times.reason;
  if (synced.status === 'rejected') throw synced.reason;
  state.unstarted.delete(spec.instance);
  await state.put(launch.journal);
  return times.value;
}

async function startHealthy(
  state: ReleaseState,
  { journal, spec, context, lap }: Launch,
): Promise<Pick<Times, 'started' | 'healthy'>> {
  await start(state, spec, context.signal);
  const started = lap();
  context.progress({ stage: 'health', text: `waiting until ${spec.instance} answers ${spec.health.path}` });
  await waitHealthy(state, journal, context.signal);
  return { started, healthy: lap() };
}

async function materialise(
  state: ReleaseState,
  spec: InstanceSpec,
  { listing, brought, image }: Brought,
): Promise<void> {
  const group = appUser(spec.app);
  await state.ports.places.ensureUser(group);
  const support = supportFiles(spec.platform);
  // A script that runs as root may add to the folder of its release.
  const shareable = spec.packageInstallScript === undefined;
  const release = { instance: spec.instance, listing, support, group, shareable, brought, image };
  await state.ports.tree.materialise(release);
}

async function isRunning(state: ReleaseState, journal: InstanceJournal): Promise<boolean> {
  if (!hasProcess(journal.spec.platform)) return true;
  return (await state.ports.units.status([journal.instance])).get(journal.instance)?.active ?? false;
}

function newJournal(body: Order, digest: string, port: number): InstanceJournal {
  const { instance, deploy, epoch } = body;
  const spec = withoutSecrets(body.spec);
  return { version: 1, instance, spec, digest, deploy, epoch, port, state: 'prepared', hooks: {} };
}

/** The environment holds passwords and stands in its own file; requests need to know where the app is mapped. */
function withoutSecrets(spec: InstanceSpec): InstanceSpec {
  const path = spec.env.SILVER_MATCH_PATH;
  return { ...spec, env: path === undefined ? {} : { SILVER_MATCH_PATH: path } };
}

/** Milliseconds since the last call. */
function stopwatch(state: ReleaseState): () => number {
  const { clock } = state.ports;
  let last = clock.monotonic();
  return () => {
    const now = clock.monotonic();
    const passed = now - last;
    last = now;
    return passed;
  };
}
