/**
 * What may stand in a generated configuration file. The schemas have checked these values already; here they are checked
 * again, where they are written, so that no path through the code lets a value add a line or a directive.
 */
import { appName, location, locationHost, nodeName, SlError } from '@silverlining/protocol';
import type * as z from 'zod/mini';

const ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]*)$/;

/** A host of a location: a name, `.suffix` or `*`. */
export function hostWord(host: string): string {
  return checked(locationHost, host, 'host');
}

/** A path of a location, `/` at both ends. */
export function pathWord(path: string): string {
  return checked(location.shape.path, path, 'path');
}

export function appWord(app: string): string {
  return checked(appName, app, 'app name');
}

export function nodeWord(name: string): string {
  return checked(nodeName, name, 'node name');
}

/** An IPv4 or IPv6 address. */
export function addressWord(address: string): string {
  if (address.length <= 45 && ADDRESS.test(address)) return address;
  throw refused('address', address);
}

export function isIPv6(address: string): boolean {
  return address.includes(':');
}

/** Text as a regular expression (PCRE) that matches it and nothing else. */
export function literalPattern(text: string): string {
  return text.replace(/[^A-Za-z0-9/]/g, '\\$&');
}

function checked(schema: z.ZodMiniType<string>, value: string, what: string): string {
  if (schema.safeParse(value).success) return value;
  throw refused(what, value);
}

function refused(what: string, value: string): SlError {
  return new SlError(
    'E_CONFIG',
    `${JSON.stringify(value.slice(0, 80))} cannot stand as ${what} in a server's configuration`,
  );
}
