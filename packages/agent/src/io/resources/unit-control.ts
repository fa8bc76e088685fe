import { exec } from '@silverlining/system';
import { daemonReload, showUnits } from '../systemd.ts';
import type { UnitControl } from './originals.ts';

/** A database may take its time to stop. */
const DEADLINE = 45_000;

/** systemd, as far as putting back needs it. */
export const unitControl: UnitControl = {
  show: (names) => showUnits(names),
  async end(names) {
    if (names.length === 0) return;
    // 5: a unit that was never loaded.
    await exec(['systemctl', 'stop', '--', ...names], { allowExit: [5], deadline: DEADLINE, code: 'E_RESOURCE' });
    await exec(['systemctl', 'disable', '--', ...names], { allowExit: 'any', deadline: DEADLINE });
  },
  reloadDaemon: () => daemonReload(),
  async act(action, name) {
    await exec(['systemctl', action, '--', name], { deadline: DEADLINE, code: 'E_RESOURCE' });
  },
};
