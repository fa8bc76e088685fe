/** `hosts` of `[provider]`: the machines that there are, and whether the set's nodes are among them. */
import type { WantedNode } from '@silverlining/protocol';
import { formatHostLine, type HostLine, parseHostLine } from './host-line.ts';
import { fullName } from './node-group.ts';
import type { Place, Problems } from './problem.ts';
import type { SectionValues } from './values.ts';

export interface HostsInput {
  baseDomain: string;
  problems: Problems;
  /** Where lines that say nothing else are reached. */
  port?: number;
}

/** Lines with full names, so that drivers and nodes call a machine the same. */
export function readHosts(values: SectionValues, { baseDomain, problems, port = SSH_PORT }: HostsInput): string {
  const { file } = values.place('hosts');
  const seen = new Map<string, number>();
  const hosts = values.lines('hosts').flatMap(({ text, line }): HostLine[] => {
    const parsed = parseHostLine(text, baseDomain);
    if ('problem' in parsed) {
      problems.error({ file, line }, parsed.problem);
      return [];
    }
    reportTwin({ port, ...parsed.host }, { seen, place: { file, line }, problems });
    return [parsed.host];
  });
  return hosts.map(formatHostLine).join('\n');
}

const SSH_PORT = 22;

function reportTwin(
  host: Required<Pick<HostLine, 'name' | 'address' | 'port'>>,
  { seen, place, problems }: { seen: Map<string, number>; place: Place; problems: Problems },
): void {
  for (const [key, what] of [
    [`name ${host.name}`, `are called ${host.name}`],
    [`address ${host.address} port ${host.port}`, `have the address ${host.address}`],
  ] as const) {
    const before = seen.get(key);
    if (before !== undefined) problems.error(place, `two hosts ${what}, on lines ${before} and ${place.line}`);
    else seen.set(key, place.line);
  }
}

export interface WantedHosts {
  nodes: readonly WantedNode[];
  baseDomain: string;
  /** The set has a balancer that no section asks for. */
  automaticBalancer: boolean;
  problems: Problems;
}

/** Reports each node that has no line, as machines of the user's own cannot be created. A line with another problem counts. */
export function reportMissingHosts(values: SectionValues, wanted: WantedHosts): void {
  const { nodes, baseDomain, automaticBalancer, problems } = wanted;
  const given = new Set(
    values.lines('hosts').map(({ text }) => fullName(text.trim().split(/\s+/)[0] ?? '', baseDomain)),
  );
  for (const { name, roles } of nodes) {
    if (given.has(name)) continue;
    const add = `no line for ${name}; add "${shortName(name, baseDomain)} ADDRESS"`;
    const unasked = automaticBalancer && roles.includes('balancer');
    const ways = ', give an app server its role with [balancer] node_name, or set load_balancer = false in [appserver]';
    problems.error(values.place('hosts'), unasked ? `${add}${ways}` : add);
  }
}

/** What `fullName` makes the name of. */
function shortName(name: string, baseDomain: string): string {
  const short = name.endsWith(`.${baseDomain}`) ? name.slice(0, -baseDomain.length - 1) : name;
  return fullName(short, baseDomain) === name ? short : name;
}
