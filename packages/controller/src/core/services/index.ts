/** The services there are, and what of them concerns a node, an app or a set. */
import { type App, nodesWithRole, type Role, type ServerSet, SlError } from '@silverlining/protocol';
import type { OsFacts, RoleFunction, RoleTrace } from '../roles/context.ts';
import { mysql } from './mysql.ts';
import type { ServiceContext, ServiceModule } from './service.ts';

export type { ServiceContext, ServiceModule } from './service.ts';

const SERVICES: ReadonlyMap<string, ServiceModule> = new Map([mysql].map((it) => [it.name, it]));

/** For whoever reads the file: services by name, with the keys that their sections take. */
export const KNOWN_SERVICES: Readonly<Record<string, { optionKeys: string[]; maxNodes: number }>> = Object.fromEntries(
  [...SERVICES.values()].map(({ name, options, maxNodes }) => [
    name,
    { optionKeys: Object.keys(options.shape), maxNodes },
  ]),
);

/** The role `service:NAME`: the server, and what the set's apps need on it. */
export function serviceRole(name: string): RoleFunction {
  const service = serviceNamed(name);
  return (context) => {
    checkOptions(service, context.set);
    const apps = context.set.apps.filter((it) => Object.hasOwn(it.services, name));
    return {
      packages: service.serverPackages(context.os),
      resources: [...service.serverResources(context), ...apps.flatMap((it) => service.appResources(it, context))],
      openings: service.openings(context),
      watch: service.watch,
    };
  };
}

/** What tells of each service, by role. */
export function serviceTraces(): [Role, RoleTrace][] {
  return [...SERVICES.values()].map(({ name, trace }) => [`service:${name}`, trace]);
}

/** Packages that app servers need for the set's services. */
export function clientPackages(set: ServerSet, os: OsFacts): string[] {
  return set.services.flatMap((it) => serviceNamed(it.name).clientPackages(os));
}

/** CONFIG_* of an app, of all its services. */
export function serviceEnv(app: App, context: ServiceContext): Record<string, string> {
  const all = Object.keys(app.services).sort();
  return Object.assign({}, ...all.map((name) => serviceNamed(name).env(app, context)));
}

/** The services that an app of an earlier release, with this environment, would look for where none of these nodes has them. */
export function lostServices(
  app: App,
  env: Readonly<Record<string, string>>,
  nodes: readonly { roles: readonly Role[]; address?: string | undefined }[],
): string[] {
  return Object.keys(app.services).filter((name) => {
    const { hostVariable, urlVariables } = serviceNamed(name);
    // What the file itself says may be any host.
    if ([hostVariable, ...urlVariables].some((it) => it in app.env)) return false;
    return !nodesWithRole(nodes, `service:${name}`).some((it) => it.address === env[hostVariable]);
  });
}

/** Names of all secrets that the services of a set's apps need; the store makes each once. */
export function secretsNeeded(set: ServerSet): string[] {
  return set.apps.flatMap((app) => Object.keys(app.services).flatMap((name) => serviceNamed(name).secretsNeeded(app)));
}

function serviceNamed(name: string): ServiceModule {
  const found = SERVICES.get(name);
  if (found !== undefined) return found;
  throw new SlError('E_CONFIG', `there is no service ${name}; known: ${[...SERVICES.keys()].sort().join(', ')}`);
}

function checkOptions({ name, options }: ServiceModule, set: ServerSet): void {
  const given = set.services.find((it) => it.name === name)?.options ?? {};
  const parsed = options.safeParse(given);
  if (parsed.success) return;
  throw new SlError('E_CONFIG', `[service:${name}]: ${parsed.error.issues.map((it) => it.message).join('; ')}`);
}
