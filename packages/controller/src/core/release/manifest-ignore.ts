/**
 * `.silverignore`: which files stay at home. The simple part of .gitignore: a pattern a line, `#` comments, `*`, `?` and `[a-z]`
 * within a name, `**` across folders, `\` before what is to stand for itself; with a slash before its end a pattern is about the path
 * from the app's folder, without one about a name anywhere; a slash at the end means folders only. There is no `!`.
 */
export type Ignore = (path: string, isFolder: boolean) => boolean;

/** Never part of a release: version control and what Python makes by itself. */
const ALWAYS = ['.git', '.hg', '.svn', '__pycache__', '/.silverignore'];

/** The matcher of a file's text; paths are relative to the app's folder. Throws where a line means something in a .gitignore alone. */
export function parseIgnore(text: string): Ignore {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  for (const [i, line] of lines.entries()) {
    if (line.startsWith('!')) throw new Error(`line ${i + 1} begins with !, and there are no exceptions here`);
    if (line.includes('[[:')) throw new Error(`line ${i + 1} has a named class; write its characters, as in [a-z]`);
  }
  const patterns = [...ALWAYS, ...lines.filter((line) => line !== '' && !line.startsWith('#'))].map(compile);
  return (path, isFolder) =>
    patterns.some((pattern) => (isFolder || !pattern.foldersOnly) && pattern.expression.test(path));
}

function compile(line: string): { expression: RegExp; foldersOnly: boolean } {
  const foldersOnly = line.endsWith('/');
  const body = foldersOnly ? line.slice(0, -1) : line;
  const start = body.includes('/') ? '^' : '(?:^|/)';
  return { expression: new RegExp(`${start}${toRegExp(body.replace(/^\//, ''))}$`, 'u'), foldersOnly };
}

/** Whatever is not itself in a pattern, or not in an expression. */
const SPECIAL = /\*\*\/|\*\*|[*?]|\\(.)|\[([!^]?)(\]?[^\]]*)\]|[\\^$.|+()[\]{}]/gu;

function toRegExp(glob: string): string {
  return glob.replace(SPECIAL, (part: string, escaped?: string, not?: string, members?: string) => {
    if (escaped !== undefined) return plain(escaped);
    // Nothing but `**` stands for a slash.
    if (members !== undefined) return `(?!/)[${not === '' ? '' : '^'}${members.replace(/[\\[\]^]/g, '\\$&')}]`;
    if (part === '**/') return '(?:[^/]+/)*';
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    return part === '?' ? '[^/]' : plain(part);
  });
}

function plain(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
}
