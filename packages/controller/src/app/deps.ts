/** What the controller's app layer works with, made once by `main.ts`, and what one operation carries. */
import type { App, DeployRecord, ServerSet, WireError } from '@silverlining/protocol';
import { SlError, toWireError } from '@silverlining/protocol';
import type { ListenAddress } from '../core/controller-address.ts';
import type {
  Bootstrapper,
  Clock,
  Fleet,
  Ids,
  NodeRecord,
  Provider,
  ReleaseSource,
  Store,
  ThisMachine,
  WorkstationHosts,
} from '../ports.ts';
import type { AgentUpdates } from './agent-updates.ts';

export interface ControllerDeps {
  store: Store;
  fleet: Fleet;
  bootstrapper: Bootstrapper;
  agentUpdates: AgentUpdates;
  /** Serves agents at this address too, for as long as the controller runs; nothing where it does so already. */
  listen(address: ListenAddress): Promise<void>;
  source: ReleaseSource;
  hosts: WorkstationHosts;
  clock: Clock;
  /** Records of the deploys that run, by id: the journal has how each began and how it ended. */
  running: Map<string, () => DeployRecord>;
  ids: Ids;
  /** Operations of this controller that hold a lease. */
  held: Set<string>;
  providerFor(set: ServerSet): Provider;
  /**
   * Sees to it that this machine can have the set's nodes, before anything is made of them: E_PROVIDER or E_HOST_PACKAGES
   * when it cannot. What is missing is installed when the user agreed to that.
   */
  prepareHost(set: ServerSet, options: HostPreparation): Promise<void>;
  /** Runs the app's own checker on its configuration, if it has both. E_APP_CONFIG with what the checker printed. */
  checkConfig(app: App, signal: AbortSignal): Promise<void>;
  /** Whether there is a file at `path` of this machine, and it is not the one at `than` by another name. */
  isAnotherFile(path: string, than: string): Promise<boolean>;
  version: string;
  /** Id of the key that orders are signed with. */
  orderKey: string;
  /** When this controller started, milliseconds since 1970. */
  startedAt: number;
  /** Agents that can be connected at once; more than the system lets this process have open is not to be had. */
  capacity: number;
  thisMachine(): ThisMachine;
  /** `wss` address on this machine that agents are told when the set configures none; for `status`. */
  url(): string;
  log: { info(fields: object, text: string): void; warn(fields: object, text: string): void };
}

export interface HostPreparation {
  install: boolean;
  report(text: string): void;
  signal: AbortSignal;
}

/** What is true of a set's provider. A provider whose options an older version took, and this one does not, is no reason to do nothing. */
export function ofProvider(
  { providerFor }: Pick<ControllerDeps, 'providerFor'>,
  config: ServerSet,
  what: 'keepsMachines' | 'onThisMachine',
): boolean {
  try {
    return providerFor(config)[what];
  } catch {
    return false;
  }
}

/** Runs `work` for each node at once; when any fails, one error that names every failure. */
export async function onEach<T extends Pick<NodeRecord, 'name'>, R>(
  nodes: readonly T[],
  work: (node: T) => Promise<R>,
): Promise<R[]> {
  const results = await Promise.allSettled(nodes.map(work));
  const failures = results.flatMap((result, i) =>
    result.status === 'rejected' ? [named(toWireError(result.reason), nodes[i]?.name)] : [],
  );
  if (failures.length > 0) throw combined(failures);
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

/** One error for several: the first one's code, node and log, and every message; one that is the same on all nodes once. */
export function combined(failures: readonly WireError[]): SlError {
  const [first, ...rest] = failures;
  if (first === undefined) return new SlError('E_INTERNAL', 'no failure was given');
  const error = SlError.fromWire(first);
  if (rest.length === 0) return error;
  const nodeOf = (it: WireError) => it.node ?? '?';
  // Some say themselves which node it is.
  const told = (it: WireError) => (it.message.startsWith(`${it.node}: `) ? it.message : `${nodeOf(it)}: ${it.message}`);
  const message = rest.every((it) => it.message === first.message)
    ? `${failures.map(nodeOf).join(', ')}: ${first.message}`
    : `${error.message} (also: ${rest.map(told).join('; ')})`;
  return new SlError(error.code, message, { details: error.details });
}

function named(error: WireError, node: string | undefined): WireError {
  return node === undefined || error.node !== undefined ? error : { ...error, node };
}
