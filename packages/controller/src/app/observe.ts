/** What exists now, read once: the planner and the operations take no client after it. */
import type { App, ServerSet } from '@silverlining/protocol';
import type { NodeRecord, Provider, ProviderNode, ReleaseRecord, ScannedRelease, SetRecord } from '../ports.ts';
import type { ControllerDeps } from './deps.ts';
import { agentsBack } from './grace.ts';

export interface Observed {
  /** The wanted set; the record's `config` may be an older one. */
  set: ServerSet;
  record: SetRecord | undefined;
  provider: Provider;
  providerNodes: ProviderNode[];
  nodes: NodeRecord[];
  /** The workstation's /etc/hosts block of the set. */
  hostsLines: string[];
  apps: ObservedApp[];
}

export interface ObservedApp {
  app: App;
  scanned: ScannedRelease;
  /** The release that serves now. */
  active: ReleaseRecord | undefined;
}

export async function observe(deps: ControllerDeps, set: ServerSet, signal: AbortSignal): Promise<Observed> {
  const provider = deps.providerFor(set);
  const record = await deps.store.set(set.name);
  const [providerNodes, nodes, hostsLines, apps] = await Promise.all([
    provider.list(set.name, signal),
    deps.store.nodes(set.name),
    deps.hosts.current(set.name),
    observeApps(deps, set, record, signal),
  ]);
  const running = nodes.filter((node) => providerNodes.some((it) => isOf(it, node) && it.state === 'running'));
  await agentsBack(deps, running, { signal });
  return { set, record, provider, providerNodes, nodes, hostsLines, apps };
}

function isOf(found: ProviderNode, node: NodeRecord): boolean {
  return found.uuid === node.uuid || found.name === node.name;
}

/** Scans the apps' folders and looks up what serves. */
export function observeApps(
  deps: ControllerDeps,
  set: ServerSet,
  record: SetRecord | undefined,
  signal: AbortSignal,
  only: readonly string[] = [],
): Promise<ObservedApp[]> {
  const wanted = set.apps.filter((app) => only.length === 0 || only.includes(app.name));
  return Promise.all(
    wanted.map(async (app) => {
      const instance = record?.active[app.name];
      const [scanned, active] = await Promise.all([
        deps.source.scan(app, signal),
        instance === undefined ? undefined : deps.store.release(set.name, instance),
      ]);
      return { app, scanned, active };
    }),
  );
}
