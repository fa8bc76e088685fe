import { INLINE_ARCHIVE, type NoticeBody, PROTOCOL, toSlError, VERSION } from '@silverlining/protocol';
import { failuresAfter, reconnectDelay, renewalTime } from '../core/backoff.ts';
import type {
  AgentClock,
  ControlSession,
  Handlers,
  Link,
  NodeProbe,
  Releases,
  SelfUpdate,
  SessionEnd,
} from '../ports.ts';
import type { HealthReporter } from './health.ts';

/** Milliseconds for a new bundle to be welcomed in before the old one comes back. */
const PROOF = 60_000;
/** Milliseconds between tries to renew a certificate that is past half of its life. */
const RENEW_AGAIN = 600_000;
const DEFAULT_HEALTH_INTERVAL = 10_000;
/** Milliseconds between looks whether a release is staged by now. */
const LOOK = 1_000;

export interface AgentDependencies {
  link: Link;
  probe: NodeProbe;
  releases: Releases;
  health: HealthReporter;
  update: SelfUpdate;
  clock: AgentClock;
  generation(): number;
  /** Ends the process; systemd starts it again. */
  restart(): void;
  log(text: string): void;
}

export interface Agent {
  /** Keeps a session with the controller until aborted. */
  run(handlers: Handlers, signal: AbortSignal): Promise<void>;
  /** For the `welcome` handler. */
  welcomed(healthInterval: number): Promise<void>;
  /** The controller is there again: connects at once, where it would wait before it tries. */
  called(): void;
}

/** The loop of the agent: connect, say hello, report health, and again after a while when the session ends. */
export function createAgent(deps: AgentDependencies): Agent {
  const state: AgentState = {
    welcomedAt: undefined,
    isProven: false,
    interval: DEFAULT_HEALTH_INTERVAL,
    call: new AbortController(),
  };
  return {
    called: () => state.call.abort(),
    async welcomed(interval) {
      state.welcomedAt = deps.clock.monotonic();
      state.isProven = true;
      state.interval = interval;
      state.call = new AbortController();
      await deps.update.confirm();
    },
    async run(handlers, signal) {
      if (!(await proveUpdate(deps, state, signal))) return;
      void renewInTime(deps, signal);
      let failures = 0;
      while (!signal.aborted) {
        state.welcomedAt = undefined;
        const end = await oneSession(deps, { handlers, state, signal });
        if (signal.aborted) return;
        const lasted = state.welcomedAt === undefined ? 0 : deps.clock.monotonic() - state.welcomedAt;
        failures = failuresAfter(failures, lasted);
        if (end.kind === 'refused' && end.renewable) await renew(deps, signal);
        failures = await waitToConnect(deps, state, { end, failures, signal });
      }
    },
  };
}

/** Resolves with how often it has failed: what was before the controller called, during the try or since, does not count. */
async function waitToConnect(
  { clock, log }: AgentDependencies,
  state: AgentState,
  { end, failures, signal }: { end: SessionEnd; failures: number; signal: AbortSignal },
): Promise<number> {
  const delay = reconnectDelay(failures, clock.random());
  log(`not connected: ${end.reason}; trying again in ${(delay / 1000).toFixed(1)} s`);
  const call = state.call.signal;
  await clock.sleep(delay, AbortSignal.any([signal, call])).catch(() => undefined);
  if (!call.aborted) return failures;
  state.call = new AbortController();
  log('the controller called: trying now');
  return 0;
}

interface AgentState {
  /** Monotonic milliseconds; undefined until the controller welcomed this session. */
  welcomedAt: number | undefined;
  /** Whether the controller welcomed any session of this process. */
  isProven: boolean;
  interval: number;
  /** Aborted when the controller calls, once. */
  call: AbortController;
}

async function oneSession(
  deps: AgentDependencies,
  { handlers, state, signal }: { handlers: Handlers; state: AgentState; signal: AbortSignal },
): Promise<SessionEnd> {
  const over = new AbortController();
  try {
    return await deps.link.session({
      handlers,
      signal,
      async opened(session) {
        session.notify('hello', { ...(await hello(deps)), trust: session.trust });
        void reportHealth(deps, session, { state, signal: AbortSignal.any([signal, over.signal]) });
      },
    });
  } catch (error) {
    return { kind: 'closed', reason: toSlError(error).message };
  } finally {
    over.abort();
  }
}

async function hello({ probe, releases, update, generation }: AgentDependencies): Promise<NoticeBody<'hello'>> {
  return {
    protocol: PROTOCOL.current,
    minProtocol: PROTOCOL.oldest,
    version: VERSION,
    facts: await probe.facts(update.program),
    inlineArchive: INLINE_ARCHIVE,
    plainArchive: true,
    manifestText: true,
    releaseImages: true,
    formerUnits: true,
    packageGuards: true,
    generation: generation(),
    epoch: releases.epoch(),
    heardEpoch: releases.heardEpoch(),
    active: releases.active(),
    instances: await releases.instances(),
  };
}

/** Reports until the session is over. A report that fails is left out; silence says enough. */
async function reportHealth(
  { health, clock, log, releases }: AgentDependencies,
  session: ControlSession,
  { state, signal }: { state: AgentState; signal: AbortSignal },
): Promise<void> {
  // A report takes processes of its own: it waits for a release that comes right now, though no longer than for another interval.
  const untilStaged = async (): Promise<void> => {
    for (let waited = 0; waited < state.interval && releases.isStaging() && !signal.aborted; waited += LOOK) {
      await clock.sleep(LOOK, signal).catch(() => undefined);
    }
  };
  while (!signal.aborted) {
    try {
      session.notify('health', await health.report(signal));
    } catch (error) {
      if (!signal.aborted) log(`no health report: ${toSlError(error).message}`);
    }
    await clock.sleep(state.interval, signal).catch(() => undefined);
    await untilStaged();
  }
}

/** False when this process is to end at once: the old bundle is the next one to start. */
async function proveUpdate(deps: AgentDependencies, state: AgentState, signal: AbortSignal): Promise<boolean> {
  const task = await deps.update.begin();
  if (task === 'leave') {
    deps.log('this bundle was never welcomed: going back to the one before');
    deps.restart();
    return false;
  }
  if (task === 'prove') void takeBackUnlessWelcomed(deps, state, signal);
  return true;
}

async function takeBackUnlessWelcomed(deps: AgentDependencies, state: AgentState, signal: AbortSignal): Promise<void> {
  await deps.clock.sleep(PROOF, signal).catch(() => undefined);
  if (signal.aborted || state.isProven) return;
  deps.log(`not welcomed in ${PROOF / 1000} s: going back to the bundle before`);
  await deps.update.rollBack();
  deps.restart();
}

async function renewInTime(deps: AgentDependencies, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const due = await deps.link
      .validity()
      .then((validity) => renewalTime(validity, deps.clock.random()) - deps.clock.now())
      .catch(() => RENEW_AGAIN);
    // A timer holds no more than 24 days.
    await deps.clock.sleep(Math.min(Math.max(due, 0), 2 ** 31 - 1), signal).catch(() => undefined);
    if (signal.aborted || due > 2 ** 31 - 1) continue;
    await renew(deps, signal);
    // Where the node's clock is days ahead of the controller's, the new one is due at once as well.
    await deps.clock.sleep(RENEW_AGAIN, signal).catch(() => undefined);
  }
}

async function renew({ link, log }: AgentDependencies, signal: AbortSignal): Promise<void> {
  try {
    await link.renew(signal);
    log('the certificate was renewed');
  } catch (error) {
    log(`the certificate was not renewed: ${toSlError(error).message}`);
  }
}
