/** A word of a POSIX shell command line that stands for exactly `text`. The one place where shell text is made. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
