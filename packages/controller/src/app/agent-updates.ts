/** Brings agents to the bundle that belongs to this controller, over the socket: one first, the others when that one is back. */
import { pipeline } from 'node:stream/promises';
import { SlError } from '@silverlining/protocol';
import pLimit from 'p-limit';
import { bundleChange } from '../core/bundle-change.ts';
import type { AgentBundle, AgentSession, NodeRecord } from '../ports.ts';
import type { OperationContext } from '../service.ts';
import { withTransfer } from './bulk.ts';
import { type ControllerDeps, onEach } from './deps.ts';

/** Agents that are replaced at a time, once one has shown that the bundle is good. */
const AT_A_TIME = 4;
const INSTALL_DEADLINE = 60_000;
/** Milliseconds for an agent to be back with either bundle: the old one has taken over again 75 s after it left. */
const RETURN_DEADLINE = 150_000;
const ANSWER_DEADLINE = 15_000;

export interface AgentUpdates {
  /** What `sl up` would make of the agent, as `0.1.0 -> 0.2.0`; undefined where there is nothing to do. */
  wanted(session: AgentSession): Promise<string | undefined>;
  /**
   * Returns how many were replaced. To be given the bundle back by a node is reported, and no failure: its old agent is there
   * again, and works with this controller. As long as this controller runs, it is not tried again.
   */
  run(op: OperationContext, nodes: readonly NodeRecord[]): Promise<number>;
}

type Deps = Pick<ControllerDeps, 'fleet' | 'clock' | 'version'> & { agentBundle(): Promise<AgentBundle> };

interface Outdated {
  name: string;
  uuid: string;
  /** `0.1.0 -> 0.2.0`. */
  change: string;
}

export function createAgentUpdates(deps: Deps): AgentUpdates {
  /** Why the bundle is not tried any more. */
  let givenBack: string | undefined;
  const changeOf = async ({ hello }: AgentSession) => {
    const { digest } = await deps.agentBundle();
    return bundleChange({ version: hello.version, digest: hello.facts.agentDigest }, { version: deps.version, digest });
  };
  return {
    wanted: async (session) => (givenBack === undefined ? changeOf(session) : undefined),
    async run(op, nodes) {
      const outdated: Outdated[] = [];
      for (const { name, uuid } of nodes) {
        const session = deps.fleet.session(uuid);
        const change = session && (await changeOf(session));
        if (change !== undefined) outdated.push({ name, uuid, change });
      }
      const [first, ...others] = outdated;
      if (first === undefined) return 0;
      givenBack ??= await replace(deps, op, first);
      if (givenBack === undefined) {
        const limit = pLimit(AT_A_TIME);
        const refusals = await onEach(others, (it) => limit(() => replace(deps, op, it)));
        givenBack = refusals.find((it) => it !== undefined);
        if (givenBack === undefined) return outdated.length;
      }
      const text = `${givenBack}. Agents that are older work on as they are; a controller that is started anew tries again`;
      op.emit({ status: 'warning', action: 'update-agent', text });
      const left = await Promise.all(
        outdated.map(({ uuid }) => deps.fleet.session(uuid)).map((it) => it && changeOf(it)),
      );
      return left.filter((it) => it === undefined).length;
    },
  };
}

/** Resolves when the node's agent is back: with why it gave the bundle back, or undefined where it runs it. */
async function replace(
  deps: Deps,
  op: OperationContext,
  { name, uuid, change }: Outdated,
): Promise<string | undefined> {
  const say = (status: 'started' | 'changed' | 'failed', text: string) =>
    op.emit({ status, action: 'update-agent', node: name, text });
  say('started', `agent ${change}`);
  const refusal = await install(deps, uuid, op.signal);
  if (refusal !== undefined) {
    say('failed', refusal);
    return `agent ${change} on ${name}: ${refusal}`;
  }
  const limits = { signal: op.signal, deadline: RETURN_DEADLINE, after: deps.clock.now() };
  const { hello } = await deps.fleet.waitFor(uuid, limits);
  if (hello.facts.agentDigest !== (await deps.agentBundle()).digest) {
    say('failed', `agent ${change}: the new one did not come up, and the old one is back`);
    return `agent ${change} did not come up on ${name}, and the old one is back there`;
  }
  await deps.fleet.request(uuid, 'serving', { ask: false }, { signal: op.signal, deadline: ANSWER_DEADLINE });
  say('changed', `agent ${change}`);
  return undefined;
}

/** Why the agent does not even try the bundle; undefined when it leaves for it. */
async function install(deps: Deps, uuid: string, signal: AbortSignal): Promise<string | undefined> {
  const bundle = await deps.agentBundle();
  const options = { signal, deadline: INSTALL_DEADLINE };
  try {
    await withTransfer(deps, uuid, signal, {
      request: (transfer) => deps.fleet.request(uuid, 'update-agent', { transfer, digest: bundle.digest }, options),
      send: (socket) => pipeline(bundle.open(), socket, { signal }),
    });
    return undefined;
  } catch (error) {
    if (error instanceof SlError && error.code === 'E_CONFLICT') return error.message;
    throw error;
  }
}
