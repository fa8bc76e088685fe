/** The sections and keys that there are. Everything else is an error with a suggestion. */
import { suggest } from './suggest.ts';

export interface KeySpec {
  /** `path` is resolved against the directory of the file that the key stands in. */
  type: 'line' | 'lines' | 'integer' | 'boolean' | 'path';
  default?: string;
  min?: number;
  max?: number;
  /** Its value is never shown. */
  secret?: boolean;
  /** Blanks at the ends of a value belong to it. */
  keepsBlanks?: boolean;
  /** What is wrong with a value of one line, if anything, in words that follow the key's name. */
  problem?(value: string): string | undefined;
  /** Must be given. */
  required?: boolean;
  /** Where it is given, something must stand there. */
  filled?: boolean;
  /** `{{n}}` is known in it. */
  numbered?: boolean;
  /** Planned, so it gets a better answer than "unknown key". */
  later?: boolean;
}

/** Keys of a section; one that ends in `.*` stands for all keys that begin so. */
export type KeyTable = Readonly<Record<string, KeySpec>>;

/** What a provider driver takes in `[provider]`, beside the keys that all have. */
export interface DriverSpec {
  options: KeyTable;
  /** It signs in somewhere, so a `secret_file` that cannot be read is an error and not only a warning. */
  usesSecret?: boolean;
}

/** What a service takes in `[service:NAME]`, beside the keys that all have. */
export interface ServiceSpec {
  options: KeyTable;
  maxNodes: number;
}

/** What this version can do, from the tables of those that do it. */
export interface Known {
  drivers: Readonly<Record<string, DriverSpec>>;
  services: Readonly<Record<string, ServiceSpec>>;
  platforms: readonly string[];
}

const LINE = { type: 'line' } as const;
const LINES = { type: 'lines' } as const;
/** One that came out empty would ask for no node, and `sl up` destroys those that the file does not have. */
const NAMES = { type: 'lines', numbered: true, filled: true } as const;
const PATH = { type: 'path' } as const;
const LATER = { type: 'line', later: true } as const;

export const NODE_KEYS: KeyTable = {
  nodes: { type: 'integer', min: 1, max: 1000, default: '1' },
  size: LINE,
  node_names: NAMES,
  node_name: NAMES,
};

export const PROVIDER_KEYS: KeyTable = {
  name: LINE,
  provider: LINE,
  username: LINE,
  secret: { type: 'line', secret: true },
  secret_file: PATH,
};

/**
 * What a key of an extending file stands for in its base, beside the key itself. A `name` says who the provider is; the
 * other way round, values beside `name` stand for those looked up.
 */
export const STANDS_FOR: ReadonlyMap<string, readonly string[]> = new Map([
  ['node_name', ['node_names']],
  ['node_names', ['node_name']],
  ['secret', ['secret_file']],
  ['secret_file', ['secret']],
  ['name', ['provider']],
]);

const SECTIONS = new Map<string, KeyTable>([
  ['general', { name: LINE, base_domain: LINE, set_etc_hosts: { type: 'boolean', default: 'true' }, extends: PATH }],
  ['controller', { url: LINE, listen: LINE, node: LATER, database: LATER }],
  ['provider', PROVIDER_KEYS],
  ['appserver', { locations: LINES, ...NODE_KEYS, load_balancer: { type: 'line', default: 'automatic' } }],
  ['balancer', { hostnames: LINES, ...NODE_KEYS, tls: LATER }],
]);

const APP_SECTION: KeyTable = {
  dir: PATH,
  config: PATH,
  keep: { type: 'integer', min: 1, max: 100, default: '5' },
  health: { type: 'line', default: '/' },
  health_timeout: { type: 'integer', min: 1, max: 3600, default: '60' },
  processes: { type: 'integer', min: 0, max: 64, default: '0' },
  'env.*': { type: 'line', keepsBlanks: true },
};

/** `[production]` of app.ini. */
export const APP_INI_KEYS: KeyTable = {
  app_name: LINE,
  runner: LINE,
  command: LINE,
  platform: LINE,
  php_root: LINE,
  default_location: LINE,
  update_fetch: LINES,
  'service.*': LINE,
  packages: LINES,
  package_install_script: LINE,
  after_install_script: LINE,
  'config.required': { type: 'boolean', default: 'false' },
  'config.default': LINE,
  'config.template': LINE,
  'config.checker': LINE,
};

const NAME_RULE = 'lower case letters, digits, - and _, a letter first, at most 40';
const NAME = /^[a-z][a-z0-9_-]{0,39}$/;

/** Keys of a section of a server set file, or what is wrong with the section's name. */
export function sectionTable(name: string, known: Known): { table: KeyTable } | { problem: string } {
  const plain = SECTIONS.get(name);
  if (plain !== undefined) return { table: plain };
  const colon = name.indexOf(':');
  const kind = colon < 0 ? name : name.slice(0, colon);
  const rest = colon < 0 ? undefined : name.slice(colon + 1);
  if (kind === 'app' && rest !== undefined) return named(rest, 'app', () => appTable(rest));
  if (kind === 'service' && rest !== undefined) return named(rest, 'service', () => serviceTable(rest, known));
  if (kind === 'provider') return { problem: `[${printable(name)}] belongs to ~/.silverlining.conf, not here` };
  return { problem: unknownSection(name) };
}

/** The spec of a key, own or by prefix. */
export function specOf(table: KeyTable, key: string): KeySpec | undefined {
  if (Object.hasOwn(table, key) && !key.endsWith('.*')) return table[key];
  const dot = key.indexOf('.');
  const prefix = `${key.slice(0, dot)}.*`;
  return dot > 0 && dot < key.length - 1 && Object.hasOwn(table, prefix) ? table[prefix] : undefined;
}

/** The answer to a key that a section does not have. */
export function unknownKey(key: string, where: string, table: KeyTable): string {
  const near = suggest(key, Object.keys(table));
  if (near !== undefined) return `unknown key; did you mean ${near}?`;
  return `unknown key ${printable(key)}; ${where} takes ${Object.keys(table).join(', ')}`;
}

/** A list for a message, in order, or `none`. */
export function listed(names: Iterable<string>): string {
  return [...names].sort().join(', ') || 'none';
}

function named(
  name: string,
  kind: string,
  table: () => { table: KeyTable } | { problem: string },
): { table: KeyTable } | { problem: string } {
  return NAME.test(name)
    ? table()
    : {
        problem: `invalid name ${printable(name)}: the name of ${kind === 'app' ? 'an app' : 'a service'} is ${NAME_RULE}`,
      };
}

/** The releases of a set are objects with the names of its apps as keys, and each object has some keys from the start. */
function appTable(name: string): { table: KeyTable } | { problem: string } {
  if (!Object.hasOwn(Object.prototype, name)) return { table: APP_SECTION };
  return { problem: `an app cannot be called ${name}, which is a word of JavaScript's own: choose another name` };
}

function serviceTable(name: string, { services }: Known): { table: KeyTable } | { problem: string } {
  const spec = Object.hasOwn(services, name) ? services[name] : undefined;
  if (spec !== undefined) return { table: { ...NODE_KEYS, ...spec.options } };
  const known = Object.keys(services);
  const near = suggest(name, known);
  const hint = near === undefined ? '' : `; did you mean ${near}?`;
  return { problem: `service ${name} is not supported yet; known: ${listed(known)}${hint}` };
}

function unknownSection(name: string): string {
  const forms = [...SECTIONS.keys(), 'app:NAME', 'service:NAME'];
  if (!/^[a-z][a-z0-9_-]*(?::.*)?$/i.test(name))
    return `invalid name ${printable(name)}: sections are ${forms.join(', ')}; NAME is ${NAME_RULE}`;
  const [kind = '', rest] = name.split(':');
  const near = suggest(kind, [...SECTIONS.keys(), 'app', 'service']);
  if (near === undefined || near === name) return `unknown section; there are ${forms.join(', ')}`;
  const takesName = near === 'app' || near === 'service';
  return `unknown section; did you mean [${takesName ? `${near}:${rest ?? 'NAME'}` : near}]?`;
}

function printable(name: string): string {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 57)}...` : name);
}
