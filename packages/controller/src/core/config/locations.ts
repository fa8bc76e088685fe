/** Which app answers where, and under which other names. */
import type { Location } from '@silverlining/protocol';
import type { ResolvedApp } from './apps.ts';
import { parseHost, parseTarget, type Target } from './location.ts';
import { type Place, type Problems, quote } from './problem.ts';
import { suggest } from './suggest.ts';
import type { SectionValues } from './values.ts';

type PlacedLocation = Location & Place;

export interface LocationsInput {
  appserver: SectionValues | undefined;
  balancer: SectionValues | undefined;
  /** Names of all `[app:NAME]` sections, those with problems included. */
  sections: ReadonlyMap<string, SectionValues>;
  apps: readonly ResolvedApp[];
  problems: Problems;
}

/** Locations in file order; an app that no line names answers at the `default_location` of its app.ini. */
export function resolveLocations(input: LocationsInput): { locations: Location[]; aliases: string[] } {
  const { appserver, apps, problems } = input;
  const lines = appserver === undefined ? [] : readLines(appserver, input);
  const placed = [...lines];
  for (const { app, values, defaultLocation } of apps) {
    if (lines.some((it) => it.app === app.name)) continue;
    if (defaultLocation !== undefined) placed.push({ ...defaultLocation, app: app.name, ...values.place('dir') });
    else problems.warning(values.section, `no location names app ${app.name}, so nothing reaches it`);
  }
  const locations = withoutTwins(placed, problems).map(({ host, path, app }) => ({ host, path, app }));
  return { locations, aliases: readAliases(locations, input) };
}

function readLines(appserver: SectionValues, { sections, problems }: LocationsInput): PlacedLocation[] {
  const { file } = appserver.place('locations');
  return appserver.lines('locations').flatMap(({ text, line }): PlacedLocation[] => {
    const place = { file, line };
    const parsed = parseLine(text.trim());
    if ('problem' in parsed) {
      problems.error(place, parsed.problem);
      return [];
    }
    if (!sections.has(parsed.app)) problems.error(place, missingApp(parsed.app, sections.keys()));
    return [{ ...parsed.target, app: parsed.app, ...place }];
  });
}

function parseLine(text: string): { target: Target; app: string } | { problem: string } {
  const [, url = '', app] = /^(\S+)(?:[ \t]+(\S+))?$/.exec(text) ?? [];
  // What is no "URL app" is shown whole: a line break or a directive behind the host must not look like an app.
  const parsed = parseTarget(url === '' ? text : url);
  if ('problem' in parsed) return parsed;
  if (app === undefined) return { problem: `${quote(text)} names no app; a location is: URL APP` };
  return { target: parsed.target, app };
}

function missingApp(app: string, names: Iterable<string>): string {
  const near = suggest(app, names);
  const hint = near === undefined ? `; add [app:${app}] with its dir` : `; did you mean ${near}?`;
  return /^[a-z][a-z0-9_-]{0,39}$/.test(app)
    ? `there is no section [app:${app}] for this location${hint}`
    : `invalid app name ${quote(app)}${hint}`;
}

/** `http` and `https` or two ports of one host are one location. */
function withoutTwins(locations: PlacedLocation[], problems: Problems): PlacedLocation[] {
  const seen = new Map<string, PlacedLocation>();
  for (const it of locations) {
    const before = seen.get(it.host + it.path);
    if (before === undefined) seen.set(it.host + it.path, it);
    else if (before.app !== it.app)
      problems.error(
        it,
        `${it.host}${it.path} is given to ${before.app} and ${it.app}, on lines ${before.line} and ${it.line}`,
      );
  }
  return [...seen.values()];
}

/** Host names of `[balancer] hostnames` that no location names: other names of the first location's host. */
function readAliases(locations: Location[], { balancer, problems }: LocationsInput): string[] {
  if (balancer === undefined) return [];
  const { file } = balancer.place('hostnames');
  const hosts = new Set(locations.map((it) => it.host));
  const aliases = balancer.lines('hostnames').flatMap(({ text, line }) =>
    text.split(/[ \t,]+/).flatMap((word): string[] => {
      if (word === '') return [];
      const parsed = parseHost(word);
      if ('host' in parsed) return hosts.has(parsed.host) ? [] : [parsed.host];
      problems.error({ file, line }, parsed.problem);
      return [];
    }),
  );
  if (aliases.length > 0 && locations.length === 0)
    problems.warning(balancer.place('hostnames'), 'hostnames without any location: nothing answers under them');
  return [...new Set(aliases)];
}
