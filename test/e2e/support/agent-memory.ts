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
  const { stdout } = await node.exec(['systemctl', 'show', '--property', 'MainPID', '--value', 'silver-agent']);
  return parse((await node.exec(['cat', `/proc/${stdout.trim()}/smaps_rollup`])).stdout);
}

/** Of a Node of the same binary that does nothing. */
export async function bareMemory(node: TestNode): Promise<Memory> {
  const script = `/opt/silverlining/node -e 'setInterval(()=>{},1e9)' & sleep 2; cat /proc/$!/smaps_rollup; kill $!`;
  return parse((await node.exec(['sh', '-c', script])).stdout);
}

function parse(rollup: string): Memory {
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(rollup)?.[1]);
  return { rss: field('Rss'), pss: field('Pss') };
}
