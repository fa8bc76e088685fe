import { SlError } from '@silverlining/protocol';

export interface WantedDatabase {
  database: string;
  user: string;
  password: string;
  hosts: readonly string[];
}

/** What one look at the server says of all databases, users and their rights. */
export interface MysqlState {
  databases: Set<string>;
  /** Hosts that each user may come from. */
  users: Map<string, Set<string>>;
  /** `user@host database`. */
  grants: Set<string>;
}

/** One client process reads all that is needed to check any number of databases. */
export const INSPECT_SQL = `SELECT 'database', SCHEMA_NAME, '', '' FROM information_schema.SCHEMATA;
SELECT 'user', User, Host, '' FROM mysql.user;
SELECT 'grant', User, Host, Db FROM mysql.db;
`;

/** Where our accounts come from. */
const ADDRESS = /^(?:\d+(?:\.\d+){3}|[0-9a-f:]*:[0-9a-f:.]*)$/i;

/** Over the unix socket as root, who needs no password there; SQL comes on standard input, never in argv. */
export const MYSQL_ARGV = [
  'mysql',
  '--no-defaults',
  '--protocol=socket',
  '--user=root',
  '--batch',
  '--skip-column-names',
];

export function parseMysqlState(output: string): MysqlState {
  const state: MysqlState = { databases: new Set(), users: new Map(), grants: new Set() };
  for (const line of output.split('\n')) {
    const [kind, first = '', host = '', database = ''] = line.split('\t');
    if (kind === 'database') state.databases.add(first);
    else if (kind === 'user') state.users.set(first, new Set([...(state.users.get(first) ?? []), host]));
    // Batch output escapes the backslash of an escaped wildcard once more.
    else if (kind === 'grant') state.grants.add(grantKey(first, host, database.replaceAll('\\\\', '\\')));
  }
  return state;
}

/** What differs, for people and without secrets; `passwordKnown` says whether this password was set before. */
export function databaseDifferences(wanted: WantedDatabase, state: MysqlState, passwordKnown: boolean): string[] {
  const differences: string[] = [];
  if (!state.databases.has(wanted.database)) differences.push('database does not exist');
  const hosts = state.users.get(wanted.user) ?? new Set<string>();
  const missing = wanted.hosts.filter((host) => !hosts.has(host));
  if (missing.length > 0) differences.push(`user ${wanted.user} cannot come from ${missing.join(', ')}`);
  const extra = extraHosts(wanted, state);
  if (extra.length > 0) differences.push(`user ${wanted.user} may come from ${extra.join(', ')}`);
  const ungranted = wanted.hosts.filter(
    (host) => hosts.has(host) && !state.grants.has(grantKey(wanted.user, host, pattern(wanted.database))),
  );
  if (ungranted.length > 0) differences.push(`user ${wanted.user} has no rights from ${ungranted.join(', ')}`);
  if (!passwordKnown) differences.push('password differs');
  return differences;
}

/** The statements that make it so; harmless to repeat. */
export function databaseSql(wanted: WantedDatabase, state: MysqlState): string {
  const lines = [`CREATE DATABASE IF NOT EXISTS ${identifier(wanted.database)} CHARACTER SET utf8mb4;`];
  for (const host of wanted.hosts) {
    const account = `${text(wanted.user)}@${text(host)}`;
    lines.push(
      `CREATE USER IF NOT EXISTS ${account};`,
      `ALTER USER ${account} IDENTIFIED BY ${text(wanted.password)};`,
      `GRANT ALL PRIVILEGES ON ${identifier(pattern(wanted.database))}.* TO ${account};`,
    );
  }
  for (const host of extraHosts(wanted, state)) lines.push(`DROP USER IF EXISTS ${text(wanted.user)}@${text(host)};`);
  return `${lines.join('\n')}\n`;
}

/** Of nodes that left. Accounts with other hosts than addresses are the user's own: `backup@localhost` is none of an app `backup`. */
function extraHosts(wanted: WantedDatabase, state: MysqlState): string[] {
  const hosts = [...(state.users.get(wanted.user) ?? [])];
  return hosts.filter((host) => ADDRESS.test(host) && !wanted.hosts.includes(host)).sort();
}

function grantKey(user: string, host: string, database: string): string {
  return `${user}@${host} ${database}`;
}

/** In GRANT, `_` and `%` of a database's name are wildcards: `a_b` would give away `axb` too. */
function pattern(database: string): string {
  return database.replace(/[_%]/g, '\\$&');
}

function identifier(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** A string literal. Values are refused rather than escaped where escaping would depend on the server's SQL mode. */
function text(value: string): string {
  if (/['"\\\0\n\r]/.test(value)) throw new SlError('E_RESOURCE', 'a value is not fit for SQL');
  return `'${value}'`;
}
