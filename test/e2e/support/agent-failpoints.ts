/** Failpoints in the agent of a node, which has to be one of the test build. */
import type { TestNode } from './nodes.ts';

const FILE = '/run/silver-failpoints';
const DROP_IN = `[Service]\nEnvironment=SL_FAILPOINT=@${FILE}\n`;

/** Its agent is started again, and can be armed from then on. */
export async function giveFailpoints(node: TestNode): Promise<void> {
  const folder = '/etc/systemd/system/silver-agent.service.d';
  await node.exec(['mkdir', '-p', folder]);
  await node.exec(['tee', `${folder}/failpoints.conf`], { input: DROP_IN });
  await node.exec(['systemctl', 'daemon-reload']);
  await restartAgent(node);
}

export async function armAgent(node: TestNode, failpoints: string): Promise<void> {
  await node.exec(['tee', FILE], { input: failpoints });
}

export async function restartAgent(node: TestNode): Promise<void> {
  await node.exec(['systemctl', 'restart', 'silver-agent.service']);
}
