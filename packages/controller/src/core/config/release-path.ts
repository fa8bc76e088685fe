import { staysInside } from './paths.ts';
import { type Place, type Problems, quote } from './problem.ts';
import type { SectionValues } from './values.ts';

/** A path inside the release that app.ini names, and where it does. */
export interface NamedPath extends Place {
  path: string;
  kind: 'file' | 'directory';
}

const PLAIN = /^(?!-)[A-Za-z0-9_@+=~.,-]+(?:\/[A-Za-z0-9_@+=~.,-]+)*$/;

/** The path without `./` and trailing slashes, or undefined and a problem when it leaves the release. */
export function checkReleasePath(text: string, place: Place, problems: Problems): string | undefined {
  const path = text.replace(/^(?:\.\/+)+/, '').replace(/\/+$/, '');
  if (!staysInside(text)) problems.error(place, `${quote(text)} is outside the release`);
  else if (PLAIN.test(path)) return path;
  else problems.error(place, `invalid path ${quote(text)}: letters, digits and _ @ + = ~ . , - between slashes`);
  return undefined;
}

/** Reads a key that holds such a path. */
export function readReleasePath(
  values: SectionValues,
  key: string,
  kind: NamedPath['kind'],
  problems: Problems,
): NamedPath | undefined {
  const text = values.line(key);
  if (text === undefined) return undefined;
  const path = checkReleasePath(text, values.place(key), problems);
  return path === undefined ? undefined : { path, kind, ...values.place(key) };
}
