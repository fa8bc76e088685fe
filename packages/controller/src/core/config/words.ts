/**
 * Splits a command line into words as a shell would, quotes and backslashes understood, nothing expanded.
 * Undefined when a quote is not closed.
 */
export function splitWords(text: string): string[] | undefined {
  const words: string[] = [];
  const word = /\s*((?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'\\])+)(?=\s|$)/sy;
  const end = text.trimEnd().length;
  while (word.lastIndex < end) {
    const found = word.exec(text)?.[1];
    if (found === undefined) return undefined;
    words.push(unquote(found));
  }
  return words;
}

function unquote(word: string): string {
  return word.replace(
    /"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)/gs,
    (_, double?: string, single?: string, escaped?: string) => {
      if (double !== undefined) return double.replace(/\\(["\\$`])/g, '$1');
      return single ?? escaped ?? '';
    },
  );
}
