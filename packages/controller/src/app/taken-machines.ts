/** Machines of the user's own that another set has. */
import { SlError } from '@silverlining/protocol';
import type { Provider, ProviderNode } from '../ports.ts';
import { type ControllerDeps, ofProvider } from './deps.ts';
import type { Observed } from './observe.ts';

type Deps = Pick<ControllerDeps, 'store' | 'fleet' | 'providerFor'>;

/**
 * E_CONFLICT for machines that are to be set up and that are nodes of another set of this controller. A machine has one agent, so that
 * set would lose it without a word, and take it back at its next `sl up`.
 */
export async function refuseTaken(deps: Deps, { set, provider, ...observed }: Observed, signal: AbortSignal) {
  if (!provider.keepsMachines) return;
  const wanted = new Set(set.nodes.map((it) => it.name));
  // Whoever has it now keeps it.
  const ours = new Set(observed.nodes.filter(({ uuid }) => deps.fleet.session(uuid)).map((it) => it.name));
  const machines = observed.providerNodes.filter(({ name }) => wanted.has(name) && !ours.has(name));
  if (machines.length === 0) return;
  const taken: string[] = [];
  for (const other of await deps.store.sets()) {
    if (other.name === set.name || !ofProvider(deps, other.config, 'keepsMachines')) continue;
    const theirs = await enrolledMachines(deps, other.name, { provider: deps.providerFor(other.config), signal });
    for (const machine of machines) {
      const node = theirs.get(placeOf(machine));
      if (node !== undefined) taken.push(`${machine.name} (${machine.address}) is ${node} of the set ${other.name}`);
    }
  }
  if (taken.length === 0) return;
  throw new SlError(
    'E_CONFLICT',
    `${taken.join('; ')}. A machine is in one set at a time. If this is the file of that set, give it its name back (name in [general]); otherwise take the machine out of that set's file and run sl up there, or take that set down with sl down --set NAME`,
  );
}

/** Names of the set's nodes by where their machines are reached. */
async function enrolledMachines(
  { store }: Deps,
  set: string,
  { provider, signal }: { provider: Provider; signal: AbortSignal },
): Promise<Map<string, string>> {
  const enrolled = new Set((await store.nodes(set)).filter((it) => it.state === 'enrolled').map((it) => it.name));
  const machines = (await provider.list(set, signal)).filter((it) => enrolled.has(it.name));
  return new Map(machines.map((it) => [placeOf(it), it.name]));
}

/** Several machines may share an address, each behind a port of its own. */
function placeOf({ ssh }: ProviderNode): string {
  return `${ssh.host} ${ssh.port}`;
}
