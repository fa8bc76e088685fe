/** Sections to a server set. */
import { type ServerSet, serverSet } from '@silverlining/protocol';
import { resolveApps } from './apps.ts';
import type { DocumentContext } from './document.ts';
import { resolveController, resolveGeneral } from './general.ts';
import { reportMissingHosts } from './hosts.ts';
import { resolveLocations } from './locations.ts';
import { resolveNodes } from './nodes.ts';
import { resolveProvider } from './provider.ts';
import type { Known } from './schema.ts';
import type { SectionValues } from './values.ts';

export interface ResolveInput extends DocumentContext {
  /** Absolute path of the file. */
  file: string;
  /** Sections whose names are known, in file order. */
  values: ReadonlyMap<string, SectionValues>;
  known: Known;
}

export interface Resolution {
  /** What could be made out; to be used only when no problem is an error. */
  set: ServerSet;
  /** All sections that were read, those looked up elsewhere included. */
  sections: SectionValues[];
}

/** Resolves the whole set. Parts with problems are left out or take their defaults, so that the rest is checked too. */
export function resolveSet(input: ResolveInput): Resolution {
  const { values, file, problems, known } = input;
  const [appserver, balancer] = [values.get('appserver'), values.get('balancer')];
  const services = under(values, 'service:');
  const appSections = under(values, 'app:');
  const general = resolveGeneral(values.get('general'), file, problems);
  const { baseDomain } = general;
  const provider = resolveProvider({ ...input, direct: values.get('provider'), baseDomain });
  const nodes = resolveNodes({ appserver, services, balancer, knownServices: known.services, baseDomain, problems });
  const hosts = provider.config.driver === 'hosts' ? provider.sections.find((it) => it.has('hosts')) : undefined;
  if (hosts !== undefined)
    reportMissingHosts(hosts, { nodes, baseDomain, automaticBalancer: balancer === undefined, problems });
  const apps = resolveApps({ ...input, apps: appSections, services: new Set(services.keys()) });
  const routes = resolveLocations({ appserver, balancer, sections: appSections, apps, problems });
  checkWhole(input, appSections);
  const others = [...values].filter(([name]) => name !== 'provider').map(([, it]) => it);
  const set: ServerSet = {
    ...general,
    file,
    controller: resolveController(values.get('controller'), problems),
    provider: provider.config,
    nodes,
    ...routes,
    apps: apps.map((it) => it.app),
    services: [...services].map(([name, it]) => ({ name, options: serviceOptions(name, it, known) })),
  };
  return { set, sections: [...others, ...provider.sections] };
}

/** The schema that the controller parses sets with has the last word; a difference to the checks here is a defect. */
export function parseSet(
  set: ServerSet,
  { file, problems }: Pick<ResolveInput, 'file' | 'problems'>,
): ServerSet | undefined {
  const parsed = serverSet.safeParse(set);
  if (parsed.success) return parsed.data;
  for (const { path, message } of parsed.error.issues)
    problems.error({ file, line: 0 }, `${path.join('.')}: ${message}`);
  return undefined;
}

function checkWhole({ values, file, problems }: ResolveInput, apps: ReadonlyMap<string, SectionValues>): void {
  if (values.has('appserver')) return;
  const [app] = apps.values();
  if (app !== undefined) problems.error(app.section, 'there are apps but no [appserver] to run them on');
  else if (![...values.keys()].some((it) => it === 'balancer' || it.startsWith('service:')))
    problems.error({ file, line: 0 }, 'no nodes: add an [appserver] section');
}

function serviceOptions(name: string, values: SectionValues, { services }: Known): Record<string, string> {
  const options = Object.keys(services[name]?.options ?? {}).flatMap((key): [string, string][] => {
    const value = values.line(key);
    return value === undefined ? [] : [[key, value]];
  });
  return Object.fromEntries(options);
}

function under(values: ReadonlyMap<string, SectionValues>, prefix: string): Map<string, SectionValues> {
  return new Map(
    [...values].filter(([name]) => name.startsWith(prefix)).map(([name, it]) => [name.slice(prefix.length), it]),
  );
}
