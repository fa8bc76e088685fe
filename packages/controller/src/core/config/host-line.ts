/** Lines of `hosts`: machines that exist already. */
import { fullName, nodeNameProblem } from './node-group.ts';
import { quote } from './problem.ts';

export interface HostLine {
  /** Full name of the node. */
  name: string;
  /** IP address or host name. */
  address: string;
  user?: string;
  port?: number;
}

export type ParsedHostLine = { host: HostLine } | { problem: string };

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;
const USER = /^[a-z_][a-z0-9_-]{0,31}$/;

/** `name address [user=NAME] [port=N]`; a name without dots stands below the base domain. */
export function parseHostLine(text: string, baseDomain: string): ParsedHostLine {
  const [word = '', address = '', ...rest] = text.trim().split(/\s+/);
  const name = fullName(word, baseDomain);
  const wrong = nodeNameProblem(name);
  if (wrong !== undefined) return { problem: wrong };
  if (address === '')
    return { problem: `${word} has no address; a line of hosts is: name address [user=NAME] [port=N]` };
  if (!isAddress(address))
    return { problem: `invalid address ${quote(address)} of ${word}: an IP address or a host name` };
  return applyOptions({ name, address }, rest);
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
    if (key === 'user' && USER.test(value)) result.user = value;
    else if (key === 'port' && isPort(value)) result.port = Number(value);
    else
      return { problem: `cannot read ${quote(option)} for ${host.name}; there are user=NAME and port=N (1 to 65535)` };
  }
  return { host: result };
}

function isAddress(text: string): boolean {
  if (/^[0-9.]+$/.test(text)) return IPV4.test(text);
  if (text.includes(':')) return /^[0-9a-f:.]{2,45}(?:%[a-z0-9]{1,15})?$/i.test(text);
  return nodeNameProblem(text.toLowerCase()) === undefined;
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65535;
}
