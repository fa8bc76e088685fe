import { describe, expect, it } from 'vitest';
import { parseUnits, showUnitsArgv, unitSteps } from './unit-state.ts';

const SHOWN = `Id=mariadb.service
Names=mysqld.service mysql.service mariadb.service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled

Id=gone.service
Names=gone.service
LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=
`;

describe('units', () => {
  it('are shown by one command', () => {
    expect(showUnitsArgv(['a.service', 'b.timer']).slice(-3)).toEqual(['--', 'a.service', 'b.timer']);
  });

  it('are found under their aliases, and when systemd says nothing of them', () => {
    const units = parseUnits(SHOWN, ['mysql.service', 'gone.service', 'other.service']);
    expect(units.get('mysql.service')).toMatchObject({ name: 'mariadb.service', active: 'active' });
    expect(units.get('gone.service')).toMatchObject({ load: 'not-found' });
    expect(units.get('other.service')).toMatchObject({ load: 'not-found', file: '' });
  });

  it('need only the steps that bring them to what is wanted', () => {
    const unit = { name: 'a.service', load: 'loaded', active: 'inactive', sub: 'dead', file: 'disabled' };
    expect(unitSteps({ enabled: true, running: true }, unit)).toEqual(['enable', 'start']);
    expect(unitSteps({ enabled: false, running: false }, unit)).toEqual([]);
    const up = { ...unit, active: 'active', file: 'enabled' };
    expect(unitSteps({ enabled: false, running: false }, up)).toEqual(['disable', 'stop']);
    expect(unitSteps({ enabled: true, running: true }, { ...up, file: 'static' })).toEqual([]);
    expect(unitSteps({ enabled: true, running: true }, { ...up, active: 'failed' })).toEqual(['start']);
  });
});
