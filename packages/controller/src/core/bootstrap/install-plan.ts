import type { BootstrapRequest } from '../../records.ts';

/** What the install script says of the node before it takes orders. */
export interface NodeFacts {
  arch: 'x64' | 'arm64' | undefined;
  machine: string;
  os: string;
  /** Address that the node sees the connection come from. */
  seen: string | undefined;
  /** The set that it is a node of. */
  set: string | undefined;
  /** Absolute paths of runtimes and bundles that are there, each below its digest. */
  has: Set<string>;
}

const ARCHITECTURES: Record<string, NodeFacts['arch']> = { x86_64: 'x64', aarch64: 'arm64' };

/** Facts from the script's lines, their `silver:` prefix taken off. */
export function parseFacts(lines: readonly string[]): NodeFacts {
  const values = (name: string) =>
    lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));
  const machine = values('arch')[0] ?? 'unknown';
  return {
    arch: Object.hasOwn(ARCHITECTURES, machine) ? ARCHITECTURES[machine] : undefined,
    machine,
    os: values('os')[0] ?? 'unknown',
    seen: values('seen')[0],
    set: values('set')[0],
    has: new Set(values('has')),
  };
}

export function runtimePath(digest: string): string {
  return `/opt/silverlining/runtime/${digest}/node`;
}

export function bundlePath(digest: string): string {
  return `/opt/silverlining/agent/${digest}/agent.js`;
}

export const ENROL_PATH = '/opt/silverlining/enrol.js';
export const UNIT_PATH = '/etc/systemd/system/silver-agent.service';
export const CONFIG_PATH = '/etc/silverlining/agent.json';

export function identityPath(generation: number, file: 'cert.pem' | 'ca.pem' | 'orders.pem'): string {
  return `/etc/silverlining/identity/${generation}/${file}`;
}

/** Links from the fixed names to what is current; relative, so that they hold in a chroot too. */
export function currentLinks(digests: { runtime: string; bundle: string }, generation: number): [string, string][] {
  return [
    ['/opt/silverlining/node', `runtime/${digests.runtime}/node`],
    ['/opt/silverlining/agent.js', `agent/${digests.bundle}/agent.js`],
    ['/etc/silverlining/agent', `identity/${generation}`],
  ];
}

/** The agent's own configuration. */
export function agentConfigText(request: BootstrapRequest, controllerUrl: string, serverName: string): string {
  const { set, name, uuid } = request;
  return `${JSON.stringify({ version: 1, set, node: name, uuid, controllerUrl, serverName })}\n`;
}

/** Where agents find the controller when nothing is configured: the address that SSH came from, IPv6 in brackets. */
export function defaultControllerUrl(seen: string, port: number): string {
  return `wss://${seen.includes(':') ? `[${seen}]` : seen}:${port}`;
}

/** Host and port of a controller URL; 443 when it names none. */
export function hostAndPort(url: string): { host: string; port: number } {
  const match = /^wss:\/\/(\[[0-9a-fA-F:.]+\]|[^/:[\]]+)(?::(\d+))?\/?$/.exec(url);
  return { host: (match?.[1] ?? '').replace(/^\[|\]$/g, ''), port: Number(match?.[2] ?? 443) };
}
