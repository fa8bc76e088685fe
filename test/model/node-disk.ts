/** What an agent's releases keep on the disk of a machine of the model: journals, releases, environments. */
import type { Listing } from '../../packages/agent/src/core/release/listing.ts';
import type { ReleasePorts } from '../../packages/agent/src/release-ports.ts';
import type { Life } from './life.ts';
import type { NodeMachine } from './node-machine.ts';
import type { Rules } from './rules.ts';

/** What a call fails with when nothing can be written. */
export const DISK = { fails: 'E_DISK_FULL' } as const;

export function journals(machine: NodeMachine, life: Life, rules: Rules): ReleasePorts['journals'] {
  return {
    all: () => life.quick(() => [...machine.journals.values()]),
    put: (journal) =>
      life.call(
        'journal',
        `${journal.instance} ${journal.state}`,
        () => void machine.journals.set(journal.instance, journal),
        DISK,
      ),
    delete: (instance) => life.call('forget', instance, () => void machine.journals.delete(instance)),
    committed: () => life.quick(() => machine.committed),
    writeCommitted: (committed) =>
      life.call(
        'epoch',
        String(committed.epoch),
        () => {
          rules.journalled(machine, committed);
          machine.committed = committed;
        },
        DISK,
      ),
    baseline: () => life.quick(() => machine.baseline),
    writeBaseline: (baseline) =>
      life.call('baseline', '', () => Object.assign(machine, { baseline }), DISK).then(ignore),
    removeAll: () => life.quick(() => machine.journals.clear()),
  };
}

export function tree(machine: NodeMachine, life: Life, rules: Rules): ReleasePorts['tree'] {
  const unpack = (instance: string, listing: Listing) => {
    rules.unpacked(machine, instance);
    machine.releases.set(instance, { listing, isSynced: false });
  };
  return {
    materialise: ({ instance, listing }) =>
      life.call('unpack', instance, () => unpack(instance, listing), { ms: 20, ...DISK }),
    listing: (instance) => life.quick(() => machine.releases.get(instance)?.listing),
    isLayer: () => false,
    takesImages: () => true,
    intact: (instance) => life.quick(() => machine.releases.has(instance)),
    remove: (instance) =>
      life.call('remove', instance, () => void machine.releases.delete(instance), { fails: 'E_RESOURCE' }),
    sweep: (keep) =>
      life.quick(() => {
        retain(machine.releases, keep);
        return [];
      }),
  };
}

export function places(machine: NodeMachine, life: Life): ReleasePorts['places'] {
  const instanceOf = (path: string) =>
    path
      .split('/')
      .at(-1)
      ?.replace(/\.env$/, '') ?? '';
  return {
    ensureUser: () => life.quick(() => undefined),
    ensureFolders: () => life.quick(() => undefined),
    writeEnv: (path, env) => life.quick(() => void machine.environments.set(instanceOf(path), Number(env.PORT))),
    readEnv: () => life.quick(() => ({})),
    remove: ({ env }) => life.quick(() => void machine.environments.delete(instanceOf(env))),
    sweep: (keep) => life.quick(() => retain(machine.environments, keep)),
    removeAll: () => life.quick(() => machine.environments.clear()),
  };
}

function retain(from: Map<string, unknown> | Set<string>, keep: ReadonlySet<string>): void {
  for (const key of [...from.keys()]) if (!keep.has(key)) from.delete(key);
}

function ignore(): void {}
