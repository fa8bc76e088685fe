/** POSIX paths as text; core has no node:path. */

/** The directory that holds an absolute path. */
export function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

/** The last part of a path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** `path` as an absolute one: against `directory` when relative, under `home` when it starts with `~/`. */
export function resolvePath(path: string, directory: string, home: string): string {
  if (path === '~' || path.startsWith('~/')) return normalise(`${home}/${path.slice(1)}`);
  return normalise(path.startsWith('/') ? path : `${directory}/${path}`);
}

/** Whether a relative path of plain characters stays inside the directory that it starts from. */
export function staysInside(path: string): boolean {
  return !path.startsWith('/') && !path.startsWith('~') && !path.split('/').includes('..');
}

function normalise(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}
