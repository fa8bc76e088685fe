/** Small formats that all renderers share. */

/** CSI and OSC sequences, then any control character that is left: text from servers must not act on the terminal. */
const CSI = '\\u001b\\[[0-?]*[ -/]*[@-~]';
const OSC = '\\u001b\\][^\\u0007\\u001b]*(?:\\u0007|\\u001b\\\\)?';
const CONTROL = new RegExp(`${CSI}|${OSC}|[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]`, 'g');

/** Text of unknown origin on one line, without terminal control sequences. */
export function clean(text: string): string {
  return text.replaceAll('\n', ' ').replace(CONTROL, '');
}

/** Like `clean`, line by line. */
export function cleanLines(text: string): string[] {
  return text.replace(/\n+$/, '').split('\n').map(clean);
}

/** `1 file`, `10,000 files`. */
export function count(n: number, noun: string): string {
  return `${grouped(n)} ${noun}${n === 1 ? '' : 's'}`;
}

/** `10,000`: what `toLocaleString` says of it in English, without loading the data of all languages for it, which takes 20 ms. */
export function grouped(n: number): string {
  return String(n).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** `92.0 MB`, in powers of 1000. */
export function bytes(n: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = n;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return unit === 0 ? `${n} B` : `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** `12 ms`, `0.8 s`, `3 min 5 s`, `2 h 10 min`. */
export function duration(ms: number): string {
  if (ms < 100) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 2880 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.round(minutes / 1440)} days`;
}

/** `13:04:05` in local time. */
export function clock(at: number): string {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((it) => String(it).padStart(2, '0')).join(':');
}

/** `2026-01-31 13:04:05` in local time. */
export function dateTime(at: number): string {
  const date = new Date(at);
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((it) => String(it).padStart(2, '0'));
  return `${day.join('-')} ${clock(at)}`;
}

/** Rows of text of unknown origin, with each column as wide as its widest cell; `paintCell` adds what does not count as text. */
export function table(
  cells: readonly (readonly string[])[],
  paintCell = (text: string, _row: number, _column: number) => text,
): string[] {
  const rows = cells.map((row) => row.map(clean));
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows.map((row, r) =>
    row
      .map(
        (cell, c) => paintCell(cell, r, c) + (c === row.length - 1 ? '' : ' '.repeat((widths[c] ?? 0) - cell.length)),
      )
      .join('  ')
      .trimEnd(),
  );
}

/** The text cut to a width, with an ellipsis. */
export function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}
