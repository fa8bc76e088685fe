/** A process of simulated agents: `simulator.ts FILE FROM TO URL`, told over IPC what to do. What it uses is not measured. */
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { AgentsFile, ScaleAgent } from './identities.ts';
import { SimulatedAgent } from './simulated-agent.ts';
import type { Observations, Order } from './simulators.ts';

const [file = '', from, to, url = ''] = process.argv.slice(2);
const { caPem, orderKey, agentDigest, agents }: AgentsFile = JSON.parse(await readFile(file, 'utf8'));
const observed: Observations = { welcome: 0, lastWelcome: 0, turnedAway: {}, acknowledged: [] };
const appservers = new Map<string, string[]>();
for (const { set, name, roles } of agents) {
  const names = appservers.get(set) ?? [];
  if (roles.includes('appserver')) names.push(name);
  appservers.set(set, names);
}
const running = agents.slice(Number(from), Number(to)).map(simulate);
const orders: { [K in Order]: () => void } = {
  // Their first connections come as those of a fleet do that was there before: within a second.
  start: () => running.forEach((agent) => void setTimeout(() => agent.connect(), Math.random() * 1_000)),
  look: () => undefined,
  forget: () => Object.assign(observed, { turnedAway: {}, acknowledged: [] }),
  stop: () => {
    for (const agent of running) agent.stop();
    process.disconnect();
  },
};

function simulate(agent: ScaleAgent): SimulatedAgent {
  const context = createSecureContext({ key: agent.keyPem, cert: agent.certPem, ca: caPem, minVersion: 'TLSv1.3' });
  return new SimulatedAgent(
    agent,
    { url, context, orderKey, agentDigest, appservers: appservers.get(agent.set) ?? [] },
    {
      welcomed: () => {
        observed.lastWelcome = Date.now();
      },
      turnedAway: (reason) => {
        observed.turnedAway[reason] = (observed.turnedAway[reason] ?? 0) + 1;
      },
      acknowledged: (type, set) => {
        if (type === 'topology' || type === 'topology-change') observed.acknowledged.push({ set, at: Date.now() });
      },
    },
  );
}

process.on('message', (order: Order) => {
  orders[order]();
  if (!process.connected) return;
  process.send?.({ ...observed, welcome: running.filter((it) => it.isWelcome).length } satisfies Observations);
});
// Whoever started this may be killed: nobody would end it then.
process.on('disconnect', () => process.exit(0));
process.send?.(observed);
