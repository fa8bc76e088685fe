/** Where the controller serves agents of a set, and what they are told about it: `[controller]` of the set's file. */
import type { ServerSet } from '@silverlining/protocol';

/** An address to listen on. */
export interface ListenAddress {
  /** Host name or IP address; undefined for all addresses of the machine. */
  host: string | undefined;
  port: number;
}

const HOST = '[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?';
const LISTEN = new RegExp(String.raw`^(?:(\*|${HOST}|\[[0-9a-fA-F:.]+\])?:)?(\d{1,5})$`);
const URL = new RegExp(String.raw`^wss://(?:${HOST}|\[[0-9a-fA-F:.]+\]):(\d{1,5})/?$`);
const ALL = new Set(['*', '0.0.0.0', '[::]']);

/** `HOST:PORT`, `:PORT` or `PORT`; undefined for anything else. */
export function parseListen(text: string): ListenAddress | undefined {
  const [, host, digits] = LISTEN.exec(text) ?? [];
  const port = Number(digits);
  if (!isPort(port)) return undefined;
  return { host: host === undefined || ALL.has(host) ? undefined : host.replace(/^\[|\]$/g, ''), port };
}

/** Whether the text is `wss://HOST:PORT`. */
export function isControllerUrl(text: string): boolean {
  return isPort(Number(URL.exec(text)?.[1]));
}

/** What the agents of a set are told: a whole URL, or only a port, at the address that the node sees SSH come from. */
export interface Advertised {
  url: string | undefined;
  /** Undefined: the controller's own. */
  port: number | undefined;
}

export function advertised({ url, listen }: ServerSet['controller']): Advertised {
  const address = listen === undefined ? undefined : parseListen(listen);
  if (url !== undefined || address === undefined) return { url, port: address?.port };
  const { host, port } = address;
  if (host === undefined) return { url: undefined, port };
  return { url: `wss://${host.includes(':') ? `[${host}]` : host}:${port}`, port };
}

/** The same as one text: the URL, `:PORT`, or empty where the file says neither. */
export function toldOf(controller: ServerSet['controller']): string {
  const { url, port } = advertised(controller);
  return url ?? (port === undefined ? '' : `:${port}`);
}

/** Whether a node was told what the file says. Of one that a version set up that did not write it down, nobody knows better. */
export function isTold({ told }: { told: string | undefined }, controller: ServerSet['controller']): boolean {
  return told === undefined || told === toldOf(controller);
}

/** Ports on which the controller with this URL serves agents of these sets: its own, and those that the sets ask for. */
export function agentPorts(url: string, sets: readonly Pick<ServerSet, 'controller'>[]): number[] {
  const own = Number(url.slice(url.lastIndexOf(':') + 1));
  const wanted = sets.flatMap(({ controller: { listen = '' } }) => parseListen(listen)?.port ?? []);
  return [...new Set([own, ...wanted].filter(isPort))].sort((a, b) => a - b);
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}
