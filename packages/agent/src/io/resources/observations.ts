import type { Resource } from '@silverlining/protocol';
import { readFile } from '@silverlining/system';
import { type Accounts, parseAccounts } from '../../core/converge/accounts.ts';
import type { UnitState } from '../../core/converge/unit-state.ts';
import { readInstalled } from '../apt.ts';
import { daemonReload, showUnits } from '../systemd.ts';

/** What executors share in one run. */
export interface Observations {
  /** Put before every path: empty on a node, a folder in tests. */
  readonly root: string;
  readonly signal: AbortSignal;
  say(text: string): void;
  packages(): Promise<ReadonlySet<string>>;
  units(): Promise<Map<string, UnitState>>;
  accounts(): Promise<Accounts>;
  /** What was read may not hold any more; it is read again when somebody asks. */
  forget(what: 'everything' | 'units'): void;
  /** A file that systemd reads was changed. */
  unitFileChanged(path: string): void;
  /** Makes systemd read changed unit files, if there are any. */
  reloadDaemon(): Promise<void>;
}

export interface ObservationContext {
  signal: AbortSignal;
  say(text: string): void;
  root?: string;
}

/** One look at each part of the node for a whole list of resources, taken when the first resource needs it. */
export function observe(resources: readonly Resource[], context: ObservationContext): Observations {
  const root = context.root ?? '';
  const unitNames = resources.flatMap((it) => (it.type === 'unit' ? [it.name] : []));
  const cache: Partial<{
    packages: Promise<ReadonlySet<string>>;
    units: Promise<Map<string, UnitState>>;
    accounts: Promise<Accounts>;
  }> = {};
  let reloadDue = false;
  const reload = async () => {
    if (!reloadDue) return;
    await daemonReload(context.signal);
    reloadDue = false;
    delete cache.units;
  };
  return {
    root,
    signal: context.signal,
    say: context.say,
    packages: () => (cache.packages ??= readInstalled()),
    async units() {
      await reload();
      cache.units ??= unitsAsOnDisk(unitNames, context.signal);
      return cache.units;
    },
    accounts: () => (cache.accounts ??= readAccounts(root)),
    forget(what) {
      delete cache.units;
      if (what === 'units') return;
      delete cache.packages;
      delete cache.accounts;
    },
    unitFileChanged(path) {
      if (path.startsWith('/etc/systemd/system/')) reloadDue = true;
    },
    reloadDaemon: reload,
  };
}

async function unitsAsOnDisk(names: readonly string[], signal: AbortSignal): Promise<Map<string, UnitState>> {
  const units = await showUnits(names, signal);
  if (![...units.values()].some((it) => it.outdated)) return units;
  // Whoever changed its files was cut off before systemd was told.
  await daemonReload(signal);
  return showUnits(names, signal);
}

async function readAccounts(root: string): Promise<Accounts> {
  const [passwd, group] = await Promise.all(['passwd', 'group'].map((it) => readFile(`${root}/etc/${it}`, 'utf8')));
  return parseAccounts(passwd ?? '', group ?? '');
}
