import type { Paint } from './paint.ts';
import { clean, dateTime } from './text.ts';

const LEVELS: Record<number, string> = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' };
/** What every line of the logger has. */
const COMMON = new Set(['level', 'time', 'msg', 'pid', 'hostname', 'name', 'v']);

/** A line of the controller's log for people: JSON as its logger writes it, or any other text as it is. */
export function daemonLogLine(line: string, paint: Paint): string {
  const entry = parse(line);
  if (entry === undefined) return clean(line);
  const { level, time, msg, ...rest } = entry;
  const name = LEVELS[Number(level)] ?? String(level);
  const fields = Object.entries(rest).filter(([key]) => !COMMON.has(key));
  const shown = fields.map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const label = Number(level) >= 50 ? paint('red', name) : Number(level) >= 40 ? paint('yellow', name) : name;
  return `${paint('dim', dateTime(new Date(typeof time === 'number' ? time : String(time)).getTime()))} ${label} ${clean(String(msg ?? ''))} ${paint('dim', clean(shown.join(' ')))}`.trimEnd();
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const json: unknown = JSON.parse(line);
    return typeof json === 'object' && json !== null && 'level' in json && 'time' in json ? { ...json } : undefined;
  } catch {
    return undefined;
  }
}
