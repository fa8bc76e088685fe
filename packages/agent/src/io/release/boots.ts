/** Which boot of the node the agent has seen. */
import { readFile, readFileIfAny, writeFileDurable } from '@silverlining/system';
import type { ReleasePorts } from '../../release-ports.ts';

export function createBoots(path: string): Pick<ReleasePorts, 'rebooted' | 'noteBoot'> {
  return {
    rebooted: async () => (await readFileIfAny(path)) !== (await currentBoot()),
    noteBoot: async () => writeFileDurable(path, await currentBoot()),
  };
}

/** A node in a container keeps its host's uptime, but has a boot id of its own from its init. */
async function currentBoot(): Promise<string> {
  const id = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  // The start time of the node's own init tells its boots apart where the kernel is shared.
  const init = (await readFile('/proc/1/stat', 'utf8')).split(') ')[1]?.split(' ')[19] ?? '';
  return `${id} ${init}\n`;
}
