/** The environment of an instance: what the controller said, and what only the node knows. */
import type { InstanceSpec } from '@silverlining/protocol';
import type { InstancePaths } from './paths.ts';

/** Folders that only root can write. */
export const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/silverlining';

/** Complete environment; the node's own variables win over the app's of the same name. */
export function instanceEnv(spec: InstanceSpec, paths: InstancePaths, port: number): Record<string, string> {
  return {
    PATH: SYSTEM_PATH,
    LANG: 'C.UTF-8',
    ...spec.env,
    HOME: paths.temp,
    TEMP: paths.temp,
    TMPDIR: paths.temp,
    SILVER_LOGS: paths.logs,
    SILVER_APP_CONFIG: paths.config,
    SILVER_APP_NAME: spec.app,
    SILVER_INSTANCE_NAME: spec.instance,
    HOST: '127.0.0.1',
    ...(port === 0 ? {} : { PORT: String(port) }),
    ...(spec.runner === undefined ? {} : { SILVER_RUNNER: spec.runner }),
  };
}

/** Folders outside the instance that services gave the app to write in. */
export function writableServicePaths(env: Readonly<Record<string, string>>): string[] {
  const values = ['CONFIG_FILES', 'CONFIG_WRITABLE_ROOT', 'CONFIG_NFS_DIR'].map((name) => env[name] ?? '');
  return values.filter((value) => /^\/[A-Za-z0-9._@+,:=/-]+$/.test(value));
}

/** The location's path that the app is mapped at, `/` when it is not mapped. */
export function matchPath(spec: Pick<InstanceSpec, 'env'>): string {
  return spec.env.SILVER_MATCH_PATH ?? '/';
}

/** The whole path of a request for `path` of the app: apps get full paths, below the location they are mapped at. */
export function requestPath(spec: Pick<InstanceSpec, 'env'>, path: string): string {
  return `${matchPath(spec).replace(/\/+$/, '')}${path}`;
}
