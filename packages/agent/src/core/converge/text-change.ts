const SHOWN = 6;
const WIDTH = 160;

/**
 * What changes between two texts, for people: the first lines that go (`-`) and come (`+`), those both have at the
 * start and the end left out.
 */
export function describeTextChange(before: string, after: string): string {
  const old = before.split('\n');
  const fresh = after.split('\n');
  let start = 0;
  while (start < old.length && start < fresh.length && old[start] === fresh[start]) start++;
  let end = 0;
  while (end < old.length - start && end < fresh.length - start && old.at(-1 - end) === fresh.at(-1 - end)) end++;
  const gone = old.slice(start, old.length - end).map((line) => `-${line}`);
  const come = fresh.slice(start, fresh.length - end).map((line) => `+${line}`);
  const all = [...gone, ...come].map((line) => (line.length > WIDTH ? `${line.slice(0, WIDTH)}...` : line));
  const more = all.length > SHOWN ? [`... ${all.length - SHOWN} more lines`] : [];
  return [`line ${start + 1}:`, ...all.slice(0, SHOWN), ...more].join('\n');
}
