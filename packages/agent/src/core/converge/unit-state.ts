/** A unit as `systemctl show` tells it. */
export interface UnitState {
  name: string;
  /** `not-found` when systemd knows no such unit. */
  load: string;
  active: string;
  sub: string;
  /** `enabled`, `disabled`, `static`, ...; empty for unknown units. */
  file: string;
  /** Whether its files on disk are newer than what systemd goes by. */
  outdated?: boolean;
}

const PROPERTIES = [
  'Id',
  'Names',
  'LoadState',
  'ActiveState',
  'SubState',
  'UnitFileState',
  'NeedDaemonReload',
] as const;

/** One command for any number of units. */
export function showUnitsArgv(names: readonly string[]): string[] {
  return ['systemctl', 'show', `--property=${PROPERTIES.join(',')}`, '--', ...names];
}

/** Parses what `showUnitsArgv` prints: blocks of `Key=value` lines in the order of the names; aliases resolve. */
export function parseUnits(text: string, names: readonly string[]): Map<string, UnitState> {
  const byName = new Map<string, UnitState>();
  for (const block of text.split('\n\n')) {
    const values = new Map(block.split('\n').map((line) => splitOnce(line)));
    const id = values.get('Id');
    if (id === undefined) continue;
    const state = {
      name: id,
      load: values.get('LoadState') ?? '',
      active: values.get('ActiveState') ?? '',
      sub: values.get('SubState') ?? '',
      file: values.get('UnitFileState') ?? '',
      ...(values.get('NeedDaemonReload') === 'yes' ? { outdated: true } : {}),
    };
    for (const name of [id, ...(values.get('Names') ?? '').split(' ')]) byName.set(name, state);
  }
  return new Map(names.map((name) => [name, byName.get(name) ?? missing(name)]));
}

export function isRunning(unit: UnitState): boolean {
  return unit.active === 'active' || unit.active === 'reloading';
}

/** Started at boot, or by whatever else wants it: static, alias and generated units have no switch of their own. */
export function isEnabled(unit: UnitState): boolean {
  return ['enabled', 'static', 'alias', 'indirect', 'generated', 'linked'].includes(unit.file);
}

/** Steps of systemctl that bring a unit to what is wanted, in order; none when it is there. */
export function unitSteps(
  wanted: { enabled: boolean; running: boolean },
  unit: UnitState,
): ('enable' | 'disable' | 'start' | 'stop')[] {
  const steps: ('enable' | 'disable' | 'start' | 'stop')[] = [];
  if (wanted.enabled && !isEnabled(unit)) steps.push('enable');
  if (!wanted.enabled && (unit.file === 'enabled' || unit.file === 'enabled-runtime')) steps.push('disable');
  if (wanted.running && !isRunning(unit)) steps.push('start');
  if (!wanted.running && !['inactive', 'failed', ''].includes(unit.active)) steps.push('stop');
  return steps;
}

function missing(name: string): UnitState {
  return { name, load: 'not-found', active: 'inactive', sub: 'dead', file: '' };
}

function splitOnce(line: string): [string, string] {
  const at = line.indexOf('=');
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)];
}
