/** How an instance of an app runs: what agents are told beside its files. */
import { type App, type InstanceSpec, type Location, VERSION } from '@silverlining/protocol';
import { secretFile } from '../roles/app-secret.ts';
import { type ServiceContext, serviceEnv } from '../services/index.ts';

/**
 * The spec of an instance. The section's own `env.*` stand over what services and Silver Lining define. Its locations are those in force:
 * what a file says more leads nobody to the app before `sl up`. An app that has none in force is asked for health by those it will have.
 */
export function buildSpec(app: App, instance: string, context: ServiceContext): InstanceSpec {
  const { topology, set } = context;
  const ofApp = (all: readonly Location[]) => all.filter((it) => it.app === app.name);
  const inForce = ofApp(topology.locations);
  const locations = inForce.length > 0 ? inForce : ofApp(set.locations);
  const host = canonicalHost(locations, topology.baseDomain);
  return {
    app: app.name,
    instance,
    platform: app.platform,
    ...(app.runner === undefined ? {} : { runner: app.runner }),
    ...(app.command === undefined ? {} : { command: app.command }),
    processes: app.processes,
    env: {
      SILVER_VERSION: `silverlining/${VERSION}`,
      SILVER_INSTANCE_NAME: instance,
      SILVER_APP_NAME: app.name,
      SILVER_MATCH_PATH: locations[0]?.path ?? '/',
      SILVER_CANONICAL_HOSTNAME: host,
      SILVER_APP_CONFIG: `/var/lib/silverlining/releases/${instance}/config`,
      SILVER_SECRET_FILE: secretFile(app.name),
      ...serviceEnv(app, context),
      ...app.env,
    },
    packages: app.packages,
    ...(app.packageInstallScript === undefined ? {} : { packageInstallScript: app.packageInstallScript }),
    ...(app.afterInstallScript === undefined ? {} : { afterInstallScript: app.afterInstallScript }),
    health: { path: app.health, host, timeout: app.healthTimeout },
  };
}

/** The shortest host that is mapped to the app, names before wildcards. */
function canonicalHost(locations: readonly Location[], baseDomain: string): string {
  const exact = locations.map((it) => it.host).filter((host) => host !== '*' && !host.startsWith('.'));
  const suffixes = locations.map((it) => it.host).filter((host) => host.startsWith('.'));
  const [shortest] = (exact.length > 0 ? exact : suffixes.map((it) => it.slice(1))).sort(
    (a, b) => a.length - b.length || (a < b ? -1 : 1),
  );
  return shortest ?? baseDomain;
}
