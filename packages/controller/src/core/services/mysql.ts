/** `[service:mysql]`: MariaDB. A database, a user and a generated password for each app. */
import { type App, type ResourceInput, type ServerSet, SlError } from '@silverlining/protocol';
import * as z from 'zod/mini';
import { addressesOf } from '../roles/context.ts';
import { addressWord, isIPv6 } from '../roles/words.ts';
import { placeOf, type ServiceContext, type ServiceModule } from './service.ts';

const PORT = 3306;
const UNIT = 'mariadb.service';
const CONFIG = '/etc/mysql/mariadb.conf.d/90-silverlining.cnf';
const RESTART = [{ unit: UNIT, action: 'restart' as const }];

export const mysql: ServiceModule = {
  name: 'mysql',
  options: z.strictObject({}),
  maxNodes: 1,
  serverPackages: () => ['mariadb-server'],
  serverResources,
  appResources: (app, context) => [database(app, context)],
  openings: ({ topology }) => [{ port: PORT, from: addressesOf(topology, 'appserver') }],
  watch: [UNIT],
  trace: { unit: UNIT, mark: CONFIG },
  clientPackages: () => ['mariadb-client'],
  env,
  hostVariable: 'CONFIG_MYSQL_HOST',
  urlVariables: ['CONFIG_MYSQL_URL', 'CONFIG_MYSQL_SQLALCHEMY'],
  secretsNeeded: (app) => [passwordName(app)],
};

/**
 * It listens on all addresses, for the firewall and the grants say who gets in: the node's own may be one that a router has for it, and
 * that no interface of the node has.
 */
const CONFIG_TEXT = `# Written by Silver Lining; changes are overwritten.
[mysqld]
bind-address = *
skip-name-resolve
`;

function serverResources(): ResourceInput[] {
  return [
    { type: 'file', path: CONFIG, content: CONFIG_TEXT, notify: RESTART },
    { type: 'file', path: `/etc/systemd/system/${UNIT}.d/silverlining.conf`, content: DROP_IN },
    { type: 'unit', name: UNIT, enabled: true, running: true },
  ];
}

// A disk or memory that was short for a moment must not be the end of it.
const DROP_IN = `[Unit]
StartLimitIntervalSec=0

[Service]
Restart=on-failure
RestartSec=2
`;

function database(app: App, { set, topology, secrets }: ServiceContext): ResourceInput {
  const name = databaseName(app, set);
  const hosts = addressesOf(topology, 'appserver').map((it) => addressWord(it));
  return { type: 'mysql-database', database: name, user: name, password: password(app, secrets), hosts };
}

function env(app: App, { set, topology, secrets }: ServiceContext): Record<string, string> {
  const server = placeOf('mysql', topology);
  if (server === undefined)
    throw new SlError('E_SERVICE', `${app.name} uses mysql, and no node of ${set.name} has it yet`);
  const name = databaseName(app, set);
  const secret = password(app, secrets);
  const host = addressWord(server.address);
  const url = `mysql://${name}:${secret}@${isIPv6(host) ? `[${host}]` : host}:${PORT}/${name}`;
  return {
    CONFIG_MYSQL_DBNAME: name,
    CONFIG_MYSQL_USER: name,
    CONFIG_MYSQL_PASSWORD: secret,
    CONFIG_MYSQL_HOST: host,
    CONFIG_MYSQL_PORT: String(PORT),
    CONFIG_MYSQL_SQLALCHEMY: `${url}?charset=utf8mb4`,
    CONFIG_MYSQL_URL: url,
  };
}

/** Databases and accounts of the server itself, and names that people take for theirs. */
const RESERVED = new Set([
  'information_schema',
  'mariadb_sys',
  'mysql',
  'performance_schema',
  'public',
  'root',
  'sys',
  'test',
]);

/** Name of an app's database and user: `-` is not for SQL names. E_CONFLICT when two apps of the set would get one. */
export function databaseName(app: Pick<App, 'name'>, set: Pick<ServerSet, 'apps'>): string {
  const name = plainName(app.name);
  const others = set.apps.filter((it) => it.name !== app.name && 'mysql' in it.services);
  const other = others.find((it) => plainName(it.name) === name);
  if (other === undefined) return name;
  throw new SlError('E_CONFLICT', `apps ${app.name} and ${other.name} would share the database ${name}; rename one`);
}

function plainName(app: string): string {
  const name = app.replaceAll('-', '_');
  return RESERVED.has(name) ? `app_${name}` : name;
}

function passwordName({ name }: App): string {
  return `mysql/${name}/password`;
}

function password(app: App, secrets: ReadonlyMap<string, string>): string {
  const found = secrets.get(passwordName(app));
  if (found === undefined) throw new SlError('E_INTERNAL', `the secret ${passwordName(app)} was not made`);
  return found;
}
