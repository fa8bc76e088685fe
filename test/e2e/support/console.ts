import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { controlGroups } from '../../../packages/controller/src/io/provider/local-cgroup.ts';

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What runs a command as root at the console of a local node, as it were, but for the command: without SSH. */
export async function atConsole(id: string): Promise<string[]> {
  const [group = ''] = (await controlGroups(id)).paths;
  const [init = ''] = (await readFile(join(group, 'payload/init.scope/cgroup.procs'), 'utf8')).split('\n');
  const environment = ['env', '-i', `PATH=${PATH}`, 'LC_ALL=C.UTF-8', 'HOME=/root', 'USER=root'];
  return ['nsenter', '--target', init, '--all', '--root', '--wd', '--', ...environment];
}
