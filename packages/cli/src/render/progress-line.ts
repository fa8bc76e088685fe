import type { ProgressEvent } from '@silverlining/protocol';
import type { Paint, Style } from './paint.ts';
import { bytes, clean, clock } from './text.ts';

export const STATUS_STYLES: Record<ProgressEvent['status'], Style> = {
  started: 'dim',
  running: 'dim',
  ok: 'green',
  changed: 'yellow',
  failed: 'red',
  info: 'dim',
  warning: 'yellow',
};

/** A progress event as a line of its own, with the time, or undefined for a counter's tick, which would flood a log. */
export function progressLine(event: ProgressEvent, verbose: boolean, paint: Paint): string | undefined {
  if (event.status === 'running' && event.done !== undefined && !verbose) return undefined;
  const where = [event.node, event.app].filter((it) => it !== undefined).join(' ');
  const status = SHOWN.has(event.status) ? `${paint(STATUS_STYLES[event.status], event.status)}: ` : '';
  return `${paint('dim', clock(event.at))} ${where === '' ? '' : `${clean(where)}: `}${status}${clean(event.text)}${counter(event)}`;
}

/** What else happened is in the text; these have to be seen. */
const SHOWN = new Set<ProgressEvent['status']>(['failed', 'warning']);

/** ` 40%`, or ` 12 MB` when it is not known how much there will be. */
export function counter({ done, total }: { done?: number | undefined; total?: number | undefined }): string {
  if (done === undefined) return '';
  if (total === undefined) return ` ${bytes(done)}`;
  return total === 0 ? '' : ` ${Math.floor((100 * Math.min(done, total)) / total)}%`;
}
