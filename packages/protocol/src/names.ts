import * as z from 'zod/mini';

/** A DNS label: lower case letters, digits and inner hyphens, 63 at most (RFC 1123). */
const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';

/** Node names are host names: they stand in hosts files, certificates and argv, so nothing else is let in. */
export const nodeName = z
  .string()
  .check(
    z.maxLength(253),
    z.regex(new RegExp(`^${LABEL}(?:\\.${LABEL})*$`), 'must be a host name: letters, digits, hyphens and dots'),
  );

/** IPv4 or IPv6, without a zone: nodes are told each other's addresses, and an interface means nothing to another node. */
export const ipAddress = z.union([z.ipv4(), z.ipv6()]);

/** Host name of a location, `*` or a `.suffix` included. */
export const locationHost = z
  .string()
  .check(z.maxLength(253), z.regex(new RegExp(`^(?:\\*|\\.?${LABEL}(?:\\.${LABEL})*)$`), 'invalid hostname'));

/** Set names label nodes at providers, name files, and are a label of the nodes' domain where no other is given. */
export const setName = z
  .string()
  .check(
    z.regex(
      /^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$/,
      'must be 1 to 40 lower case letters, digits and hyphens, a letter first and no hyphen last',
    ),
  );

/** App names become part of paths, units and users. */
export const appName = z
  .string()
  .check(z.regex(/^[a-z][a-z0-9_-]{0,39}$/, 'must be 1 to 40 lower case letters, digits, - and _, a letter first'));

/** A Debian package. To apt, a name that ends in `-` means that the package is to be removed. */
export const packageName = z
  .string()
  .check(z.regex(/^[a-z0-9][a-z0-9+.-]*[a-z0-9+.]$/, 'must be lower case letters, digits, + - and ., no - last'));

/** `APP.YYYYMMDD_NNN`, given once by the controller. */
export const instanceName = z
  .string()
  .check(z.regex(/^[a-z][a-z0-9_-]{0,39}\.\d{8}_\d{3,6}$/, 'must look like APP.20260131_001'));

export const DIGEST = /^[0-9a-f]{64}$/;
/** SHA-256 in lower case hex. */
export const digest = z.string().check(z.regex(DIGEST, 'must be a SHA-256 in hex'));

/** Absolute path of plain characters, without `..`, empty parts or a trailing slash. */
export const absolutePath = z
  .string()
  .check(
    z.maxLength(1024),
    z.regex(/^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._@+,:=~*-]+)+$|^\/$/, 'must be a plain absolute path'),
  );

/** Linux user and group names have 32 characters at most. */
const USER_NAME_LIMIT = 32;

/** The system user that an app's processes run as, the same on every node: `app-APP`, cut and hashed when too long. */
export function appUser(app: string): string {
  const name = `app-${app}`;
  if (name.length <= USER_NAME_LIMIT) return name;
  const hash = fnv1a(app).toString(36).padStart(7, '0');
  return `${name.slice(0, USER_NAME_LIMIT - hash.length - 1)}-${hash}`;
}

/** The systemd unit of an instance. Instance names hold nothing that a unit name would have to escape. */
export function instanceUnit(instance: string): string {
  return `silver-app-${instance}.service`;
}

/** 32-bit FNV-1a: tells long names apart, nothing more. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
