/**
 * `.silverignore`: which files stay at home. The simple part of .gitignore: a pattern a line, `#` comments, `*`, `?` and `[a-z]`
 * within a name, `**` across folders, `\` before what is to stand for itself; with a slash before its end a pattern is about the path
 * from the app's folder, without one about a name anywhere; a slash at the end means folders only. There is no `!`.
 */
export type Ignore = (path: string, isFolder: boolean) => boolean;

/** Never part of a release: version control and what Python makes by itself. */
const ALWAYS = ['.git', '.hg', '.svn', '__pycache__', '/.silverignore'];

/** Of `**` in a line: the longest of paths can be cut up between three in a hundred million ways. */
const MOST_DEEP = 3;

/** The matcher of a file's text; paths are relative to the app's folder. Throws where a line means something in a .gitignore alone. */
export function parseIgnore(text: string): Ignore {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  for (const [i, line] of lines.entries()) {
    if (line.startsWith('!')) throw new Error(`line ${i + 1} begins with !, and there are no exceptions here`);
    if (line.includes('[[:')) throw new Error(`line ${i + 1} has a named class; write its characters, as in [a-z]`);
    if (!line.startsWith('#') && (line.match(/\*{2,}/g)?.length ?? 0) > MOST_DEEP)
      throw new Error(`line ${i + 1} has more than ${MOST_DEEP} of **, with which paths cannot be compared in time`);
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

/** Parts of a pattern. */
const PARTS = /\*{2,}\/|\*{2,}|\\(.)|\[([!^]?)(\]?[^\]]*)\]|./gsu;

interface Part {
  /** `one` stands for one character of a name. */
  kind: 'star' | 'one' | 'other';
  source: string;
}

function partsOf(glob: string): Part[] {
  return [...glob.matchAll(PARTS)].map(([part, escaped, not, members]): Part => {
    if (members !== undefined) return { kind: 'one', source: classOf(members, not !== '') };
    if (escaped !== undefined) return { kind: 'one', source: plain(escaped) };
    if (part.endsWith('*/')) return { kind: 'other', source: '(?:[^/]+/)*' };
    if (part.startsWith('**')) return { kind: 'other', source: '.*' };
    return SINGLE[part] ?? { kind: 'one', source: plain(part) };
  });
}

const SINGLE: Partial<Record<string, Part>> = {
  '*': { kind: 'star', source: '[^/]*' },
  '?': { kind: 'one', source: '[^/]' },
  '/': { kind: 'other', source: '\\/' },
};

/** Nothing but `**` stands for a slash. */
function classOf(members: string, isNegated: boolean): string {
  return `(?!/)[${isNegated ? '^' : ''}${members.replace(/[\\[\]^]/g, '\\$&')}]`;
}

/**
 * Between two `*` of a name the first place that fits is as good as every later one, since the second `*` takes what follows. So none
 * but that is tried, in a group that is not gone back into: ten `*` and a long name of equal letters would take longer than anybody lives.
 */
function toRegExp(glob: string): string {
  const parts = partsOf(glob);
  let source = '';
  for (let at = 0; at < parts.length; at++) {
    const end = parts.findIndex((it, i) => i > at && it.kind !== 'one');
    const isBetween = parts[at]?.kind === 'star' && parts[end]?.kind === 'star';
    if (!isBetween) source += parts[at]?.source;
    else {
      const text = sourceOf(parts.slice(at + 1, end));
      source += `(?=(?<at${at}>[^/]*?${text}))\\k<at${at}>`;
      at = end - 1;
    }
  }
  return source;
}

function sourceOf(parts: readonly Part[]): string {
  return parts.map((it) => it.source).join('');
}

function plain(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
}
