/** Lines of `hosts`: machines that exist already. */
import { ipAddress } from '@silverlining/protocol';
import { plainAddress } from './ip-address.ts';
import { fullName, nodeNameProblem } from './node-group.ts';
import { quote } from './problem.ts';

export interface HostLine {
  /** Full name of the node. */
  name: string;
  address: string;
  user?: string;
  port?: number;
}

export type ParsedHostLine = { host: HostLine } | { problem: string };

/** `name address [user=NAME] [port=N]`; a name without dots stands below the base domain. */
export function parseHostLine(text: string, baseDomain: string): ParsedHostLine {
  const [word = '', address = '', ...rest] = text.trim().split(/\s+/);
  const name = fullName(word, baseDomain);
  const wrong = nodeNameProblem(name);
  if (wrong !== undefined) return { problem: wrong };
  if (address === '')
    return { problem: `${word} has no address; a line of hosts is: name address [user=NAME] [port=N]` };
  if (!isAddress(address)) return { problem: badAddress(word, address) };
  return applyOptions({ name, address: plainAddress(address) }, rest);
}

/** Who signs in over SSH; nothing that ssh could take for an option. */
export function isUserName(text: string): boolean {
  return /^[a-z_][a-z0-9_-]{0,31}$/.test(text);
}

/** The line that `parseHostLine` reads as the same host. */
export function formatHostLine({ name, address, user, port }: HostLine): string {
  return [name, address, user === undefined ? '' : `user=${user}`, port === undefined ? '' : `port=${port}`]
    .filter((it) => it !== '')
    .join(' ');
}

function applyOptions(host: HostLine, options: string[]): ParsedHostLine {
  const result = { ...host };
  for (const option of options) {
    const [, key, value = ''] = /^(user|port)=(.*)$/.exec(option) ?? [];
    if (key === 'user' && isUserName(value)) result.user = value;
    else if (key === 'port' && isPort(value)) result.port = Number(value);
    else
      return { problem: `cannot read ${quote(option)} for ${host.name}; there are user=NAME and port=N (1 to 65535)` };
  }
  return { host: result };
}

function isAddress(text: string): boolean {
  return ipAddress.safeParse(text).success;
}

function badAddress(name: string, text: string): string {
  const [, address = '', port = ''] = /^\[?([^\]]*)\]?:(\d+)$/.exec(text) ?? [];
  if (isAddress(address) && isPort(port))
    return `invalid address ${quote(text)}; write: ${name} ${address} port=${Number(port)}`;
  const example = '203.0.113.10 or 2001:db8::7';
  return `invalid address ${quote(text)} of ${name}: must be an IP address, such as ${example}; getent hosts NAME shows that of a host name`;
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65535;
}
