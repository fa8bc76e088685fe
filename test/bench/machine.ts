/** What the figures were measured on. */
import { readFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { exec } from '@silverlining/system';

/** Such as `2 cores (AMD EPYC), 24 GiB`. */
export function machineSize(): string {
  const [cpu] = cpus();
  return `${cpus().length} cores (${cpu?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB`;
}

/** Lines such as `Ansible: ansible [core 2.14.18]`. */
export async function describeMachine(): Promise<string[]> {
  const release = await readFile('/etc/os-release', 'utf8');
  const system = /^PRETTY_NAME="(.*)"$/m.exec(release)?.[1] ?? 'Linux';
  return [
    `Machine: ${machineSize()}`,
    `System: ${system}, Linux ${await firstLine(['uname', '-r'])}`,
    `Node: ${process.version}`,
    `rsync: ${await firstLine(['rsync', '--version'])}`,
    `OpenSSH: ${await firstLine(['sh', '-c', 'ssh -V 2>&1'])}`,
    `Capistrano: ${await firstLine(['cap', '--version'])}`,
    `Ansible: ${await firstLine(['ansible', '--version'])}`,
    `Git: ${await firstLine(['git', '--version'])}`,
  ];
}

/** The commit that is measured, marked when files differ from it. */
export async function commitNow(root: string): Promise<string> {
  const { stdout } = await exec(['git', '-C', root, 'describe', '--always', '--dirty'], { allowExit: 'any' });
  return stdout.trim();
}

async function firstLine(argv: readonly string[]): Promise<string> {
  return (await exec(argv)).stdout.split('\n')[0]?.trim() ?? '';
}
