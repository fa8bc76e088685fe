/** Cuts a node's network with a table of its own in the node's firewall. SSH stays, so that it can be healed. */
import type { TestNode } from './nodes.ts';

/** `controller`: its connections to the controller; `all`: everything but SSH. */
export type Cut = 'controller' | 'all';
/** Which packets are lost, as the node sees them. */
export type Way = 'in' | 'out';

/** Packets vanish without an answer, those of open connections too. */
export async function cut(node: TestNode, what: Cut, ways: readonly Way[] = ['in', 'out']): Promise<void> {
  const { stdout } = await node.exec(['cat', '/etc/silverlining/agent.json']);
  const port = new URL(JSON.parse(stdout).controllerUrl).port;
  const match = {
    controller: { in: `tcp sport ${port}`, out: `tcp dport ${port}` },
    all: { in: 'iifname != "lo" tcp dport != 22', out: 'oifname != "lo" tcp sport != 22' },
  }[what];
  const chains = ways.map(
    (way) => `chain lost_${way} { type filter hook ${way}put priority -300; ${match[way]} drop; }`,
  );
  await node.exec(['nft', '-f', '-'], { input: `table inet cut {\n${chains.join('\n')}\n}\n` });
}

/** Nothing is lost any more; harmless where nothing was cut. */
export async function heal(node: TestNode): Promise<void> {
  await node.exec(['nft', '-f', '-'], { input: 'table inet cut {}\ndelete table inet cut\n' });
}
