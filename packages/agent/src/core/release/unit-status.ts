/** How an instance's unit is, from what `systemctl show` prints. */

export interface UnitStatus {
  /** Its process runs, or is being started. */
  active: boolean;
  /** It ended and will not, or not yet, run again. */
  failed: boolean;
  /** systemd's own word: `running`, `auto-restart`, `exited`, ... */
  sub: string;
  /** Starts by systemd beyond the one that was asked for. */
  restarts: number;
  /** How its main process ended, for people; empty when it did not. */
  ended: string;
}

/** What `parseUnitStatus` reads. */
export const STATUS_PROPERTIES = ['ActiveState', 'SubState', 'NRestarts', 'Result', 'ExecMainCode', 'ExecMainStatus'];

/** Codes of waitid(2), as `ExecMainCode` gives them. */
const ENDINGS: Readonly<Record<string, string>> = {
  '1': 'exited with status',
  '2': 'was killed by signal',
  '3': 'dumped core on signal',
};

/** Parses one unit's block of `KEY=VALUE` lines. */
export function parseUnitStatus(block: string): UnitStatus {
  const values = new Map(block.split('\n').map((line) => [line.split('=')[0], line.slice(line.indexOf('=') + 1)]));
  const get = (name: string) => values.get(name) ?? '';
  const sub = get('SubState');
  const ending = ENDINGS[get('ExecMainCode')];
  return {
    active: get('ActiveState') === 'active' || get('ActiveState') === 'activating',
    failed: get('ActiveState') === 'failed' || sub === 'auto-restart',
    sub,
    restarts: Number(get('NRestarts')) || 0,
    ended: ending === undefined ? '' : `${ending} ${get('ExecMainStatus')}`,
  };
}

/** Says how an instance failed while it was being staged, when it did: it must live on its first start. */
export function crashOf(status: UnitStatus): string | undefined {
  if (status.failed || status.restarts > 0) return status.ended === '' ? 'exited' : status.ended;
  return status.active ? undefined : status.ended || `is ${status.sub || 'not running'}`;
}
