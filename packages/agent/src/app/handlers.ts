import {
  type ReplyBody,
  type RequestBody,
  type Resource,
  type ResourceReport,
  SlError,
  toSlError,
} from '@silverlining/protocol';
import type { Due } from '../core/converge/notifications.ts';
import type {
  ConvergeHost,
  Handler,
  Handlers,
  NodeProbe,
  Releases,
  RequestContext,
  SelfUpdate,
  StateFile,
} from '../ports.ts';
import { applyResources, checkResources } from './converge.ts';
import type { HealthReporter } from './health.ts';
import type { TopologyKeeper } from './topology.ts';

export interface HandlerDependencies {
  releases: Releases;
  host: ConvergeHost;
  due: StateFile<Due[]>;
  topology: TopologyKeeper;
  health: HealthReporter;
  probe: NodeProbe;
  update: SelfUpdate;
  /** Told when the controller welcomed this session. */
  welcomed(healthInterval: number): Promise<void>;
  /** Ends the process once the reply is sent: `restart` comes back, `retire` does not. */
  leave(why: 'restart' | 'retire'): void;
  log(text: string): void;
}

/** The table of everything that the controller may ask. Handlers translate; what they call decides. */
export function createHandlers(deps: HandlerDependencies): Handlers {
  const { releases } = deps;
  return {
    welcome: (body, context) => welcome(deps, body, context),
    topology: deps.topology.handler,
    'topology-change': deps.topology.change,
    converge: createConverge(deps),
    probe: async (_body, { signal }) => ({ health: await deps.health.report(signal) }),
    serving: async ({ ask, log }, { signal }) => ({
      ...{ epoch: releases.epoch(), active: releases.active(), instances: await releases.instances() },
      apps: ask ? await releases.appAnswers(signal, log) : [],
    }),
    async logs(body, { signal, openTransfer }) {
      await deps.probe.streamLogs(body, await openTransfer(body.transfer), signal);
      return {};
    },
    async runtime({ transfer, digest }, { signal, openTransfer }) {
      await deps.update.takeRuntime(await openTransfer(transfer), digest, signal);
      return {};
    },
    async 'update-agent'(body, { signal, openTransfer }) {
      await deps.update.install(await openTransfer(body.transfer), body, signal);
      deps.log(`restarting as ${body.digest}`);
      deps.leave('restart');
      return {};
    },
    retire: (body) => retire(deps, body),
    offer: (body, context) => releases.offer(body, context),
    image: (body, context) => releases.image(body, context),
    chunks: (body, context) => releases.chunks(body, context),
    lend: (body, context) => releases.lend(body, context),
    stage: (body, context) => releases.stage(body, context),
    hook: (body, context) => releases.hook(body, context),
    abort: (body, context) => releases.abort(body, context),
    switch: (body, context) => releases.switch(body, context),
    settle: (body, context) => releases.settle(body, context),
    traffic: (body, context) => releases.traffic(body, context),
    hold: (body, context) => releases.hold(body, context),
    backends: (body, context) => releases.backends(body, context),
  };
}

/**
 * A node that missed a switch catches up before anything else. When it cannot, its own epoch is the answer: the
 * controller sees from it that the node is behind.
 */
async function welcome(
  { releases, welcomed, log }: HandlerDependencies,
  { set, node, epoch, active, healthInterval }: RequestBody<'welcome'>,
  context: RequestContext,
): Promise<ReplyBody<'welcome'>> {
  await welcomed(healthInterval);
  log(`welcomed as ${node} of ${set}, epoch ${epoch}`);
  try {
    await releases.hear(epoch, active);
    if (epoch > releases.epoch()) await releases.switch({ epoch, active }, context);
  } catch (error) {
    log(`cannot follow to epoch ${epoch}: ${toSlError(error).message}`);
  }
  return { epoch: releases.epoch() };
}

/** Afterwards nothing of the agent comes back, whatever could not be stopped, removed or put back on the machine. */
async function retire(
  deps: HandlerDependencies,
  { reason, putBack }: RequestBody<'retire'>,
): Promise<ReplyBody<'retire'>> {
  deps.log(`retired: ${reason}`);
  const problems: string[] = [];
  const attempt = async (what: string, act: () => Promise<unknown>) => {
    await act().catch((error: unknown) => problems.push(`${what}: ${toSlError(error).message}`));
  };
  await attempt('releases', () => deps.releases.removeAll());
  if (putBack === true) await attempt('files and services', async () => problems.push(...(await deps.host.putBack())));
  await attempt('the identity', () => deps.probe.forgetIdentity());
  if (putBack === true) await attempt('the agent', () => deps.probe.removeAgent());
  deps.leave('retire');
  if (problems.length === 0) return {};
  throw new SlError('E_RESOURCE', `not everything could be put back: ${problems.join('; ')}`);
}

/** One converge at a time: a second one waits for the first. */
function createConverge(deps: HandlerDependencies): Handler<'converge'> {
  let last: Promise<unknown> = Promise.resolve();
  return ({ mode, resources, watch }, { signal, progress }) => {
    const say = (text: string, done: number, total: number) => progress({ stage: 'converge', text, done, total });
    const run = async () => {
      if (mode === 'check') return { reports: await checkResources(resources, deps, { signal, say }) };
      await deps.health.watch(watch);
      const reports = await applyResources(resources, deps, { signal, say });
      logChanges(reports, resources, deps.log);
      return { reports };
    };
    const next = last.then(run, run);
    last = next.catch((error: unknown) => deps.log(`converge: ${toSlError(error).message}`));
    return next;
  };
}

function logChanges(
  reports: readonly ResourceReport[],
  resources: readonly Resource[],
  log: (text: string) => void,
): void {
  for (const { id, status, detail } of reports) {
    if (status === 'changed') log(`changed ${id}`);
    if (status === 'failed') log(`failed ${id}: ${detail}`);
  }
  const ok = reports.filter((it) => it.status === 'ok').length;
  log(`converged: ${ok} of ${resources.length} resources were as wanted`);
}
