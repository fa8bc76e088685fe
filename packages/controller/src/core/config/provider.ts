/** `[provider]`: a driver with its options, given directly or looked up in `~/.silverlining.conf`. */
import type { ProviderConfig } from '@silverlining/protocol';
import { type DocumentContext, readSections } from './document.ts';
import { readHosts } from './hosts.ts';
import { createInterpolator } from './interpolate.ts';
import { quote } from './problem.ts';
import { type DriverSpec, type KeySpec, type Known, listed, PROVIDER_KEYS } from './schema.ts';
import { suggest } from './suggest.ts';
import { SectionValues } from './values.ts';

export interface ProviderInput extends DocumentContext {
  /** The set's own section. */
  direct: SectionValues | undefined;
  baseDomain: string;
  known: Known;
}

export interface ProviderResult {
  config: ProviderConfig;
  /** The sections that it was read from, the set's own first. */
  sections: SectionValues[];
}

const DEFAULT_DRIVER = 'local';
/** Keys that say where values come from, and are no option of a driver. */
const SOURCE_KEYS = new Set(['name', 'provider', 'secret', 'secret_file']);

/** Resolves `[provider]`; without the section it is `local`. Values beside `name` stand for those looked up. */
export function resolveProvider(input: ProviderInput): ProviderResult {
  const lookedUp = withoutOtherDriver(lookUp(input), input);
  const sources = [input.direct, lookedUp].filter((it) => it !== undefined);
  const driver = findDriver(sources, lookedUp, input);
  const spec = driver === undefined ? undefined : ownEntry(input.known.drivers, driver);
  if (driver === undefined || spec === undefined)
    return { config: { driver: driver ?? DEFAULT_DRIVER, options: {} }, sections: sources };
  const table = { ...PROVIDER_KEYS, ...spec.options };
  const sections = sources.map((it) => it.withTable(table));
  // A file that extends another one can take another driver; it has no way to take that one's keys back.
  const anyDriver = new Set(Object.values(input.known.drivers).flatMap((it) => Object.keys(it.options)));
  for (const values of sections) values.check(`provider ${driver}`, anyDriver);
  const options = Object.fromEntries(
    Object.entries(table).flatMap(([key, it]): [string, string][] => {
      const value = SOURCE_KEYS.has(key) ? undefined : readOption(key, it, sections, input);
      return value === undefined ? [] : [[key, value]];
    }),
  );
  const secret = readSecret(sections, spec, driver, input);
  return { config: { driver, options: secret === undefined ? options : { ...options, secret } }, sections };
}

/** The section of `~/.silverlining.conf` that `name` asks for. */
function lookUp(input: ProviderInput): SectionValues | undefined {
  const { direct, env, home, problems } = input;
  const name = direct?.line('name');
  if (direct === undefined || name === undefined) return undefined;
  const file = `${home}/.silverlining.conf`;
  const exists = input.files.readFile(file).kind !== 'missing';
  const sections = exists ? (readSections(file, direct.place('name'), input) ?? new Map()) : new Map();
  const section = sections.get(`provider:${name}`);
  if (section !== undefined) {
    const interpolator = createInterpolator({ sections, env, defaultOf: () => undefined });
    return new SectionValues(section, PROVIDER_KEYS, { interpolator, problems, home });
  }
  const found = [...sections.keys()].filter((it) => it.startsWith('provider:')).map((it) => `[${it}]`);
  const missing = `there is no ${sectionTitle(name)} in ${file}${exists ? ` (it has: ${listed(found)})` : ', nor that file'}`;
  // Notes that grew over time name a provider and give its values too; then the values are enough.
  if (direct.has('provider')) problems.warning(direct.place('name'), `${missing}; the values beside it are used alone`);
  else problems.error(direct.place('name'), `${missing}; ${driverHint(name, input.known)}`);
  return undefined;
}

/** Options of one driver mean nothing to another, so a driver given beside the name leaves out what was looked up. */
function withoutOtherDriver(
  lookedUp: SectionValues | undefined,
  { direct, problems }: ProviderInput,
): SectionValues | undefined {
  const [own, other] = [direct?.has('provider') ? direct.line('provider') : undefined, lookedUp?.line('provider')];
  if (direct === undefined || lookedUp === undefined || own === undefined || other === undefined) return lookedUp;
  if (own === other) return lookedUp;
  const { file, line } = lookedUp.place('provider');
  problems.warning(
    direct.place('provider'),
    `provider ${quote(own)} stands for the ${quote(other)} of [${lookedUp.section.name}] (${file}:${line}), whose values are not used`,
  );
  return undefined;
}

/** Undefined when it was reported already that none can be known. */
function findDriver(
  sources: SectionValues[],
  lookedUp: SectionValues | undefined,
  input: ProviderInput,
): string | undefined {
  const source = sources.find((it) => it.has('provider'));
  if (source === undefined) {
    if (lookedUp !== undefined)
      input.problems.error(
        lookedUp.section,
        `missing provider; there are: ${listed(Object.keys(input.known.drivers))}`,
      );
    return input.direct?.has('name') ? undefined : DEFAULT_DRIVER;
  }
  const driver = source.line('provider');
  if (driver === undefined || ownEntry(input.known.drivers, driver) !== undefined) return driver;
  input.problems.error(source.place('provider'), unknownDriver(driver, input.known));
  return undefined;
}

function readOption(key: string, spec: KeySpec, sections: SectionValues[], input: ProviderInput): string | undefined {
  const values = sections.find((it) => it.has(key));
  if (values === undefined) {
    const place = sections[0]?.section;
    if (spec.required && place !== undefined)
      input.problems.error(place, `[provider] has no ${key}, which its driver needs`);
    return spec.default;
  }
  if (key === 'hosts') {
    const port = sections.find((it) => it.has('port'))?.integer('port');
    return readHosts(values, { ...input, ...(port === undefined ? {} : { port }) });
  }
  if (spec.type === 'path') return values.path(key);
  if (spec.type === 'lines')
    return values
      .lines(key)
      .map((it) => it.text.trim())
      .join('\n');
  return values.line(key);
}

/** The secret, from the set's own section before the one looked up; of two in one section the later stands. */
function readSecret(
  sections: SectionValues[],
  spec: DriverSpec,
  driver: string,
  input: ProviderInput,
): string | undefined {
  const values = sections.find((it) => it.has('secret') || it.has('secret_file'));
  if (values === undefined) return undefined;
  const [direct, file] = [values.place('secret').line, values.place('secret_file').line];
  const both = values.has('secret') && values.has('secret_file');
  if (both) {
    const message = `secret and secret_file are both given, on lines ${Math.min(direct, file)} and ${Math.max(direct, file)}; the last one stands`;
    input.problems.warning(values.place(direct > file ? 'secret' : 'secret_file'), message);
  }
  const fromFile = both ? file > direct : values.has('secret_file');
  return fromFile ? readSecretFile(values, spec, driver, input) : values.line('secret');
}

function readSecretFile(
  values: SectionValues,
  spec: DriverSpec,
  driver: string,
  input: ProviderInput,
): string | undefined {
  const path = values.path('secret_file');
  if (path === undefined) return undefined;
  const read = input.files.readFile(path);
  const secret = read.kind === 'text' ? read.text.trim() : '';
  if (secret !== '') return secret;
  const why = { text: 'is empty', missing: 'does not exist', unusable: read.kind === 'unusable' ? read.why : '' }[
    read.kind
  ];
  const message = `secret_file ${path}: ${why}`;
  if (spec.usesSecret) input.problems.error(values.place('secret_file'), message);
  else input.problems.warning(values.place('secret_file'), `${message} (provider ${driver} needs no secret)`);
  return undefined;
}

function unknownDriver(driver: string, { drivers }: Known): string {
  const near = suggest(driver, Object.keys(drivers));
  const hint = near === undefined ? '' : `; did you mean ${near}?`;
  return `there is no provider ${quote(driver)}; there are: ${listed(Object.keys(drivers))}${hint}`;
}

function driverHint(name: string, { drivers }: Known): string {
  if (ownEntry(drivers, name) !== undefined) return `did you mean provider = ${name}?`;
  return `add it there, or set provider here: ${listed(Object.keys(drivers))}`;
}

function sectionTitle(name: string): string {
  return quote(`[provider:${name}]`).slice(1, -1);
}

function ownEntry<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
