/** Where something stands. Line 0 means the file as a whole. */
export interface Place {
  /** Absolute path. */
  file: string;
  line: number;
}

export interface Problem extends Place {
  message: string;
  severity: 'error' | 'warning';
}

/** `file:line: message`, and `file: message` for what concerns the whole file. */
export function formatProblem(it: Problem): string {
  const place = it.line === 0 ? it.file : `${it.file}:${it.line}`;
  return `${place}: ${it.severity === 'warning' ? 'warning: ' : ''}${it.message}`;
}

/** `line 4`, with its file where that is not the one that the problem is in: it extends that, then. */
export function lineAt(place: Place, problem: Place): string {
  return place.file === problem.file ? `line ${place.line}` : `line ${place.line} of ${place.file}`;
}

/** Collects problems, so that one run reports them all. The same problem found twice counts once. */
export class Problems {
  readonly #found = new Map<string, Problem>();

  error(place: Place, message: string): void {
    this.#add(place, message, 'error');
  }

  warning(place: Place, message: string): void {
    this.#add(place, message, 'warning');
  }

  /** In order of lines, those of `first` before those of other files. */
  sorted(first: string): Problem[] {
    const rank = (it: Problem) => (it.file === first ? 0 : 1);
    return [...this.#found.values()].sort(
      (a, b) => rank(a) - rank(b) || compareText(a.file, b.file) || a.line - b.line,
    );
  }

  #add({ file, line }: Place, message: string, severity: Problem['severity']): void {
    const key = `${severity}\0${file}\0${line}\0${message}`;
    if (!this.#found.has(key)) this.#found.set(key, { file, line, message, severity });
  }
}

/** A value for a message: quoted, short, and with control characters escaped so that it cannot act on a terminal. */
export function quote(value: string): string {
  const short = value.length > 60 ? `${value.slice(0, 57)}...` : value;
  return JSON.stringify(short).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
