import type { LogLine } from '@silverlining/protocol';

const APP_UNIT = /^silver-app-(.+)\.service$/;
const AGENT_UNIT = 'silver-agent.service';
/** Where systemd itself runs: what it logs (started, killed, out of memory) is about the unit in `UNIT`. */
const SYSTEMD = 'init.scope';

/**
 * A line of `journalctl --output=json` as a log line; undefined when it belongs to none of ours, or to another app.
 * Its source is the instance, or `agent`.
 */
export function logLineOf(json: string, node: string, app: string | undefined): LogLine | undefined {
  const entry = parse(json);
  const source = sourceOf(unitOf(entry));
  if (source === undefined || !wanted(source, app)) return undefined;
  return { node, at: Math.floor(Number(entry.__REALTIME_TIMESTAMP) / 1000) || 0, source, text: textOf(entry.MESSAGE) };
}

/** The journal's position after this line. */
export function cursorOf(json: string): string | undefined {
  const cursor = parse(json).__CURSOR;
  return typeof cursor === 'string' ? cursor : undefined;
}

/** As `journalctl --unit` counts them: a line that is left out here is one less of those that were asked for. */
function unitOf({ _SYSTEMD_UNIT: own = SYSTEMD, UNIT: about = '' }: Record<string, unknown>): string {
  return String(own === SYSTEMD ? about : own);
}

function sourceOf(unit: string): string | undefined {
  return unit === AGENT_UNIT ? 'agent' : APP_UNIT.exec(unit)?.[1];
}

function wanted(source: string, app: string | undefined): boolean {
  return app === undefined || source.startsWith(`${app}.`);
}

/** journald gives text that is not UTF-8 as an array of bytes, and null for what is too large. */
function textOf(message: unknown): string {
  if (typeof message === 'string') return message;
  if (!Array.isArray(message)) return '(a message too large to be shown)';
  return message.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(Number(byte)) : '?')).join('');
}

function parse(json: string): Record<string, unknown> {
  try {
    const entry: unknown = JSON.parse(json);
    return typeof entry === 'object' && entry !== null ? { ...entry } : {};
  } catch {
    return {};
  }
}
