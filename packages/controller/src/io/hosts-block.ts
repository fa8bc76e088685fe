/** The marked block of a set in a hosts file, as text. The rest of the file is never touched, whatever it holds. */
import { SlError } from '@silverlining/protocol';

interface Span {
  /** Offset of the first marker, and of what follows the last one. */
  start: number;
  end: number;
}

/** The text with the block of the set holding these lines; without it when there are none. */
export function withBlock(text: string, set: string, lines: readonly string[]): string {
  const block = lines.length === 0 ? '' : `${[beginMarker(set), ...lines, endMarker(set)].join('\n')}\n`;
  const [first, ...others] = findBlocks(text, set);
  if (first === undefined) {
    const separator = block === '' || text === '' || text.endsWith('\n') ? '' : '\n';
    return text + separator + block;
  }
  // From the last to the first, so that offsets stay true.
  const rest = others.reverse().reduce((it, span) => cut(it, span, ''), text);
  return cut(rest, first, block);
}

/** The lines of the set's block, without markers. */
export function blockLines(text: string, set: string): string[] {
  const [span] = findBlocks(text, set);
  if (span === undefined) return [];
  return text.slice(span.start, span.end).split(/\r?\n/).slice(1, -2);
}

function cut(text: string, { start, end }: Span, replacement: string): string {
  return text.slice(0, start) + replacement + text.slice(end);
}

/** E_HOSTS_FILE for a block without an end: everything below it might be somebody else's. */
function findBlocks(text: string, set: string): Span[] {
  const spans: Span[] = [];
  let start: number | undefined;
  let offset = 0;
  for (const line of text.split(/(?<=\n)/)) {
    const content = line.trimEnd();
    const next = offset + line.length;
    if (content === beginMarker(set)) start ??= offset;
    else if (content === endMarker(set) && start !== undefined) {
      spans.push({ start, end: next });
      start = undefined;
    }
    offset = next;
  }
  if (start !== undefined) {
    const number = text.slice(0, start).split('\n').length;
    const message = `line ${number} of the hosts file, "${beginMarker(set)}", has no "${endMarker(set)}" after it; put it back or remove the block`;
    throw new SlError('E_HOSTS_FILE', message);
  }
  return spans;
}

function beginMarker(set: string): string {
  return `# BEGIN silverlining ${set}`;
}

function endMarker(set: string): string {
  return `# END silverlining ${set}`;
}
