/** Memory of processes on a node, as the kernel counts it. */
import type { TestNode } from './nodes.ts';

export interface Memory {
  /** Resident, KiB: with the pages that other processes have too. */
  rss: number;
  /** KiB, such pages shared out among those that have them. */
  pss: number;
}

/** Of the agent's main process. */
export async function agentMemory(node: TestNode): Promise<Memory> {
  return parse((await node.exec(['cat', `/proc/${await agentPid(node)}/smaps_rollup`])).stdout);
}

/** Begins the kernel's record of the most that the agent had resident anew (proc_pid_clear_refs(5)). */
export async function forgetAgentPeak(node: TestNode): Promise<void> {
  await node.exec(['tee', `/proc/${await agentPid(node)}/clear_refs`], { input: '5' });
}

/** KiB that the agent had resident at most. */
export async function agentPeak(node: TestNode): Promise<number> {
  return field((await node.exec(['cat', `/proc/${await agentPid(node)}/status`])).stdout, 'VmHWM');
}

async function agentPid(node: TestNode): Promise<string> {
  const argv = ['systemctl', 'show', '--property', 'MainPID', '--value', 'silver-agent'];
  return (await node.exec(argv)).stdout.trim();
}

/** Of a Node of the same binary that does nothing. */
export async function bareMemory(node: TestNode): Promise<Memory> {
  const script = `/opt/silverlining/node -e 'setInterval(()=>{},1e9)' & sleep 2; cat /proc/$!/smaps_rollup; kill $!`;
  return parse((await node.exec(['sh', '-c', script])).stdout);
}

function parse(rollup: string): Memory {
  return { rss: field(rollup, 'Rss'), pss: field(rollup, 'Pss') };
}

function field(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]);
}
