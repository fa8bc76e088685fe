/**
 * Brings agents to what belongs to this controller, over the socket: bundle, unit file and the Node that they run under. One first, the
 * others when that one is back.
 */
import { pipeline } from 'node:stream/promises';
import { type RequestBody, SlError } from '@silverlining/protocol';
import pLimit from 'p-limit';
import { differs, programChange } from '../core/program-change.ts';
import type { AgentProgram, AgentSession, NodeRecord } from '../ports.ts';
import type { OperationContext } from '../service.ts';
import { SLOWEST, withTransfer } from './bulk.ts';
import { type ControllerDeps, onEach } from './deps.ts';

/** Agents that are replaced at a time, once one has shown that the bundle is good. */
const AT_A_TIME = 4;
const INSTALL_DEADLINE = 60_000;
/** Milliseconds for an agent to be back with either bundle: the old one has taken over again 75 s after it left, at the latest. */
const RETURN_DEADLINE = 150_000;
const ANSWER_DEADLINE = 15_000;

export interface AgentUpdates {
  /** What `sl up` would make of the agent, as `0.1.0 -> 0.2.0`; undefined where there is nothing to do. */
  wanted(session: AgentSession): Promise<string | undefined>;
  /**
   * Returns how many were replaced. To be given the new agent back by a node is reported, and no failure: its old one is there
   * again, and works with this controller. As long as this controller runs, it is not tried again. One that was refused may only
   * have been cut short on its way: that is tried again when the node has connected anew.
   */
  run(op: OperationContext, nodes: readonly NodeRecord[]): Promise<number>;
}

type Deps = Pick<ControllerDeps, 'fleet' | 'clock' | 'version'> & { program(): Promise<AgentProgram> };

interface Outdated {
  name: string;
  uuid: string;
}

/** Why agents stay as they are. */
interface Refusal {
  why: string;
  /** Where an agent did not even try: the connection over which it said so. */
  over?: Pick<AgentSession, 'uuid' | 'connectedAt'>;
}

export function createAgentUpdates(deps: Deps): AgentUpdates {
  let latest: Refusal | undefined;
  const refusal = () => (latest !== undefined && holds(deps, latest) ? latest : undefined);
  return {
    wanted: async (session) => (refusal() === undefined ? changeOf(deps, session) : undefined),
    async run(op, nodes) {
      const outdated: Outdated[] = [];
      for (const { name, uuid } of nodes) if (await isOutdated(deps, uuid)) outdated.push({ name, uuid });
      const [first, ...others] = outdated;
      if (first === undefined) return 0;
      latest = refusal() ?? (await update(deps, op, first));
      if (latest === undefined) {
        const limit = pLimit(AT_A_TIME);
        const refusals = await onEach(others, (it) => limit(() => update(deps, op, it)));
        latest = lasting(refusals);
        if (latest === undefined) return outdated.length;
      }
      op.emit({ status: 'warning', action: 'update-agent', text: textOf(latest) });
      const left = await Promise.all(outdated.map(({ uuid }) => isOutdated(deps, uuid)));
      return left.filter((it) => !it).length;
    },
  };
}

/** What did not come up on one node must not be tried again because another one connected anew. */
function lasting(refusals: readonly (Refusal | undefined)[]): Refusal | undefined {
  const all = refusals.filter((it) => it !== undefined);
  return all.find((it) => it.over === undefined) ?? all[0];
}

function holds({ fleet }: Deps, { over }: Refusal): boolean {
  const now = over && fleet.session(over.uuid);
  return now === undefined || now.connectedAt === over?.connectedAt;
}

function textOf({ why, over }: Refusal): string {
  const again = over === undefined ? '' : 'sl up tries again when that agent has connected anew, and ';
  return `${why}. Agents that are older work on as they are; ${again}a controller that is started anew tries again`;
}

async function changeOf(deps: Deps, { hello }: AgentSession): Promise<string | undefined> {
  const { bundle, unit, runtime } = await deps.program();
  const { agentDigest, ...facts } = hello.facts;
  return programChange(
    { version: hello.version, bundle: agentDigest, runtime: facts.runtime, unit: facts.unit },
    { version: deps.version, bundle: bundle.digest, runtime: runtime.version, unit: unit.digest },
  );
}

async function isOutdated(deps: Deps, uuid: string): Promise<boolean> {
  const session = deps.fleet.session(uuid);
  return session !== undefined && (await changeOf(deps, session)) !== undefined;
}

/** Why an agent is not what it is to be; undefined where it is. One that takes bundles alone learns from the first how to take the rest. */
async function update(deps: Deps, op: OperationContext, node: Outdated): Promise<Refusal | undefined> {
  const refusal = await replace(deps, op, node);
  if (refusal !== undefined || !(await isOutdated(deps, node.uuid))) return refusal;
  return replace(deps, op, node);
}

/** Resolves when the node's agent is back: with why it gave the new one back, or undefined where it runs it. */
async function replace(deps: Deps, op: OperationContext, { name, uuid }: Outdated): Promise<Refusal | undefined> {
  const before = deps.fleet.session(uuid);
  const change = before && (await changeOf(deps, before));
  if (before === undefined || change === undefined) return undefined;
  const say = (status: 'started' | 'info' | 'changed' | 'failed', text: string) =>
    op.emit({ status, action: 'update-agent', node: name, text });
  say('started', `agent ${change}`);
  const report = (text: string) => say('info', text);
  const sent = await install(deps, before, { report, signal: op.signal });
  if (typeof sent === 'string') {
    say('failed', sent);
    return { why: `agent ${change} on ${name}: ${sent}`, over: { uuid, connectedAt: before.connectedAt } };
  }
  const limits = { signal: op.signal, deadline: RETURN_DEADLINE, after: deps.clock.monotonic() };
  const { hello } = await deps.fleet.waitFor(uuid, limits);
  if (!isOf(await deps.program(), sent, hello.facts)) {
    say('failed', `agent ${change}: the new one did not come up, and the old one is back`);
    return {
      why: `agent ${change} did not come up on ${name}, and the old one is back there (sl logs --node ${name} shows what it said)`,
    };
  }
  await deps.fleet.request(uuid, 'serving', { ask: false }, { signal: op.signal, deadline: ANSWER_DEADLINE });
  say('changed', `agent ${change}`);
  return undefined;
}

/** What an agent was told to become. */
type Order = Omit<RequestBody<'update-agent'>, 'transfer'>;

/** Whether the agent that came back is what it was told to become. */
function isOf(program: AgentProgram, { digest, unit, runtime }: Order, facts: AgentSession['hello']['facts']): boolean {
  if (facts.agentDigest !== digest) return false;
  if (unit !== undefined && facts.unit !== program.unit.digest) return false;
  return runtime === undefined || facts.runtime === program.runtime.version;
}

interface Sending {
  report(text: string): void;
  signal: AbortSignal;
}

/** What the agent leaves for; or why it does not even try. */
async function install(deps: Deps, session: AgentSession, sending: Sending): Promise<Order | string> {
  const { bundle, unit, runtime } = await deps.program();
  const { uuid, hello } = session;
  try {
    const order: Order = {
      digest: bundle.digest,
      ...(differs(hello.facts.unit, unit.digest) ? { unit: unit.text } : {}),
      ...(differs(hello.facts.runtime, runtime.version) ? { runtime: await sendRuntime(deps, session, sending) } : {}),
    };
    const options = { signal: sending.signal, deadline: INSTALL_DEADLINE };
    await withTransfer(deps, uuid, options, {
      request: (transfer) => deps.fleet.request(uuid, 'update-agent', { transfer, ...order }, options),
      send: (socket) => pipeline(bundle.open(), socket, { signal: sending.signal }),
    });
    return order;
  } catch (error) {
    if (error instanceof SlError && error.code === 'E_CONFLICT') return error.message;
    throw error;
  }
}

/** Returns the digest of the binary that the node has then. */
async function sendRuntime(deps: Deps, { uuid, hello }: AgentSession, { report, signal }: Sending): Promise<string> {
  const { runtime } = await deps.program();
  const { digest, size, open } = await runtime.file(hello.facts.arch, report, signal);
  report(`sending Node ${runtime.version} (${Math.round(size / 1e6)} MB)`);
  // They may share a link, and one that is cut off begins again.
  const options = { signal, deadline: INSTALL_DEADLINE + (AT_A_TIME * size) / SLOWEST };
  await withTransfer(deps, uuid, options, {
    request: (transfer) => deps.fleet.request(uuid, 'runtime', { transfer, digest }, options),
    send: (socket) => pipeline(open(), socket, { signal }),
  });
  return digest;
}
