/** The live view as data: events in, rows out. What writes it to a terminal is in live-screen.ts. */
import type { ProgressEvent } from '@silverlining/protocol';
import type { Paint } from './paint.ts';
import { counter, STATUS_STYLES } from './progress-line.ts';
import { clean, cut, duration } from './text.ts';

export interface LiveRow {
  label: string;
  status: ProgressEvent['status'];
  text: string;
  /** Milliseconds since 1970 of the first event of what is going on, and of the last one. */
  since: number;
  at: number;
}

/** Rows in the order of their first events: one for each node, one for each app where no node is named, one for the rest. */
export type LiveView = ReadonlyMap<string, LiveRow>;

/** What warns or failed stays on the screen as a line of its own; everything else only changes its row. */
export function isLasting(event: ProgressEvent): boolean {
  return event.status === 'warning' || event.status === 'info' || event.status === 'failed';
}

export function applyEvent(view: LiveView, event: ProgressEvent): LiveView {
  if (event.status === 'info' || event.status === 'warning') return view;
  const label = event.node ?? event.app ?? '';
  const before = view.get(label);
  const goesOn = before !== undefined && isGoingOn(before) && event.status !== 'started';
  const row = {
    ...{ label, status: event.status, text: clean(event.text) + counter(event) },
    ...{ since: goesOn ? before.since : event.at, at: event.at },
  };
  return new Map([...view, [label, row]]);
}

export interface LiveSize {
  columns: number;
  rows: number;
}

const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const MARKS: Record<ProgressEvent['status'], string> = {
  ...{ started: '·', running: '·', ok: '✓', changed: '✓', failed: '✗', info: ' ', warning: '!' },
};

/** The view as lines that fit the terminal; when they are too many, first what is going on or failed. */
export function liveLines(view: LiveView, now: number, size: LiveSize, paint: Paint): string[] {
  const rows = [...view.values()];
  const width = Math.min(Math.max(0, ...rows.map((row) => row.label.length)), Math.floor(size.columns / 2));
  const room = Math.max(1, size.rows - 2);
  const shown = rows.length <= room ? rows : pickRows(rows, room - 1);
  const hidden = rows.length - shown.length;
  const lines = shown.map((row) => rowLine(row, { now, width, columns: size.columns, paint }));
  return hidden === 0 ? lines : [...lines, paint('dim', `  and ${hidden} more`)];
}

function pickRows(rows: readonly LiveRow[], room: number): LiveRow[] {
  const rank = (row: LiveRow) => (row.status === 'failed' ? 0 : isGoingOn(row) ? 1 : 2);
  const chosen = new Set([...rows].sort((a, b) => rank(a) - rank(b)).slice(0, room));
  return rows.filter((row) => chosen.has(row));
}

function rowLine(
  row: LiveRow,
  { now, width, columns, paint }: { now: number; width: number; columns: number; paint: Paint },
): string {
  const mark = isGoingOn(row) ? (SPINNER[Math.floor(now / 100) % SPINNER.length] ?? '') : MARKS[row.status];
  const elapsed = isGoingOn(row) && now - row.since >= 1000 ? `  ${duration(now - row.since)}` : '';
  const label = cut(row.label, width).padEnd(width);
  const room = columns - width - elapsed.length - 5;
  return `${paint(STATUS_STYLES[row.status], mark)} ${label}${width === 0 ? '' : '  '}${cut(row.text, room)}${paint('dim', elapsed)}`;
}

function isGoingOn(row: LiveRow): boolean {
  return row.status === 'started' || row.status === 'running';
}
