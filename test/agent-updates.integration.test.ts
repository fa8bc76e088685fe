/** The controller replaces its agents over real sockets: who is asked, in which order, and what it makes of what comes back. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentUpdates, createAgentUpdates } from '../packages/controller/src/app/agent-updates.ts';
import { systemClock } from '../packages/controller/src/io/clock.ts';
import type { NodeRecord } from '../packages/controller/src/ports.ts';
import type { Facts } from '../packages/protocol/src/index.ts';
import { type AgentAddress, type AgentClient, connectAgent, helloBody, openTransfer } from './fakes/agent-client.ts';
import { type AgentServerFixture, agentServerFixture } from './fakes/agent-server-fixture.ts';

const BUNDLE = 'the next agent';
const DIGEST = createHash('sha256').update(BUNDLE).digest('hex');

let fixture: AgentServerFixture;
beforeAll(async () => {
  fixture = await agentServerFixture();
});
afterAll(() => fixture.close());

const UNIT = { digest: createHash('sha256').update('the unit').digest('hex'), text: 'the unit' };
const NODE = { version: '24.21.0', digest: 'd'.repeat(64) };

/** What an agent makes of a bundle. */
type Behaviour = 'takes it' | 'gives it back' | 'refuses it';

/** The order in which agents were asked and were back. */
let seen: string[];

/** What an agent says that it is made of. */
type Program = Partial<Pick<Facts, 'agentDigest' | 'runtime' | 'unit'>>;

/** A node whose agent is of version 0.1.0, and answers the next request for an update as told. */
async function nodeThat(behaviour: Behaviour, name: string): Promise<NodeRecord> {
  const { node, agent } = await fixture.enrol({ name });
  await connects({ address: { port: fixture.port, agent }, node, behaviour });
  return node;
}

async function connects(agent: Agent): Promise<void> {
  void answerUpdates(await greeted(agent.address, agent.node, {}), agent);
}

async function greeted(address: AgentAddress, node: NodeRecord, program: Program): Promise<AgentClient> {
  const since = performance.now() - 1;
  const client = await connectAgent(address);
  const known = fixture.server.fleet.waitFor(node.uuid, { ...limits(), after: since });
  client.answer('serving', () => ({ epoch: 0, active: {}, instances: [], apps: [] }));
  client.hello({ facts: { ...helloBody().facts, ...program } });
  await known;
  return client;
}

async function answerUpdates(client: AgentClient, { address, node, behaviour }: Agent): Promise<void> {
  const { id, body } = await client.next();
  seen.push(`${node.name} asked`);
  const { transfer, digest } = body as { transfer: string; digest: string };
  expect(await text(await openTransfer(address, transfer))).toBe(BUNDLE);
  expect(digest).toBe(DIGEST);
  if (behaviour === 'refuses it') {
    client.send('error', { code: 'E_CONFLICT', message: 'cannot be loaded' }, id);
    return;
  }
  client.send('result', {}, id);
  client.close();
  await client.closed;
  seen.push(`${node.name} back`);
  await greeted(address, node, behaviour === 'takes it' ? { agentDigest: DIGEST } : {});
}

interface Agent {
  address: AgentAddress;
  node: NodeRecord;
  behaviour: Behaviour;
}

const limits = () => ({ signal: new AbortController().signal, deadline: 10_000 });

/** Runs the updates of a controller that has just started, or of `updates`. */
async function run(nodes: readonly NodeRecord[], updates: AgentUpdates = started()) {
  const events: string[] = [];
  const emit = ({ status, node, text: said }: { status: string; node?: string | undefined; text: string }) =>
    void events.push([status, node, said].filter((it) => it !== undefined).join(' '));
  const count = await updates.run({ operationId: 'op', signal: limits().signal, emit }, nodes);
  return { count, events, updates };
}

function started(): AgentUpdates {
  seen = [];
  const file = async () => ({ digest: NODE.digest, size: 4, open: () => Readable.from(['node']) });
  const program = async () => ({
    bundle: { digest: DIGEST, open: () => Readable.from([BUNDLE]) },
    ...{ unit: UNIT, runtime: { version: NODE.version, file } },
  });
  return createAgentUpdates({ fleet: fixture.server.fleet, clock: systemClock, version: '0.2.0', program });
}

const sessionOf = (node: NodeRecord) => {
  const session = fixture.server.fleet.session(node.uuid);
  if (session === undefined) throw new Error(`${node.name} is not connected`);
  return session;
};

describe('agents of another bundle', () => {
  it('are replaced: one, and when it is back the others', async () => {
    const nodes = [
      await nodeThat('takes it', 'n1'),
      await nodeThat('takes it', 'n2'),
      await nodeThat('takes it', 'n3'),
    ];
    const updates = started();
    for (const node of nodes) expect(await updates.wanted(sessionOf(node))).toBe('0.1.0 -> 0.2.0');
    const { count, events } = await run(nodes, updates);
    expect(count).toBe(3);
    expect(seen.slice(0, 2)).toEqual(['n1 asked', 'n1 back']);
    expect(events.slice(0, 2)).toEqual(['started n1 agent 0.1.0 -> 0.2.0', 'changed n1 agent 0.1.0 -> 0.2.0']);
    expect(events).toHaveLength(6);
    for (const node of nodes) expect(await updates.wanted(sessionOf(node))).toBeUndefined();
    expect(await run(nodes, updates)).toMatchObject({ count: 0, events: [] });
  });

  it('are left alone when the first one gives it back, which is said once more and not tried again', async () => {
    const nodes = [await nodeThat('gives it back', 'b1'), await nodeThat('takes it', 'b2')];
    const { count, events, updates } = await run(nodes);
    expect(count).toBe(0);
    expect(seen).toEqual(['b1 asked', 'b1 back']);
    const warning = expect.stringMatching(
      /^warning agent 0\.1\.0 -> 0\.2\.0 did not come up on b1, and the old one is back there \(sl logs --node b1 shows what it said\)/,
    );
    expect(events.at(-1)).toEqual(warning);
    for (const node of nodes) expect(await updates.wanted(sessionOf(node))).toBeUndefined();
    expect(await run(nodes, updates)).toMatchObject({ count: 0, events: [warning] });
    expect(seen).toHaveLength(2);
  });

  it('are left alone when the first one cannot load it', async () => {
    const nodes = [await nodeThat('refuses it', 'c1'), await nodeThat('takes it', 'c2')];
    const { count, events } = await run(nodes);
    expect(count).toBe(0);
    expect(events.at(-1)).toMatch(/^warning agent 0\.1\.0 -> 0\.2\.0 on c1: cannot be loaded/);
    expect(seen).toEqual(['c1 asked']);
  });

  it('are tried again when the one that refused it has connected anew, since what came may have been cut short', async () => {
    const { node, agent } = await fixture.enrol({ name: 'f1' });
    const address: AgentAddress = { port: fixture.port, agent };
    await connects({ address, node, behaviour: 'refuses it' });
    const { events, updates } = await run([node]);
    expect(events.at(-1)).toMatch(/tries again when that agent has connected anew/);
    expect(await run([node], updates)).toMatchObject({ count: 0, events: [events.at(-1)] });
    expect(await updates.wanted(sessionOf(node))).toBeUndefined();
    await connects({ address, node, behaviour: 'takes it' });
    expect(await updates.wanted(sessionOf(node))).toBe('0.1.0 -> 0.2.0');
    expect(await run([node], updates)).toMatchObject({ count: 1 });
    expect(seen).toEqual(['f1 asked', 'f1 asked', 'f1 back']);
  });

  it('are not tried again because of that where another one gave it back', async () => {
    const { node, agent } = await fixture.enrol({ name: 'g2' });
    const address: AgentAddress = { port: fixture.port, agent };
    await connects({ address, node, behaviour: 'refuses it' });
    const nodes = [await nodeThat('takes it', 'g1'), node, await nodeThat('gives it back', 'g3')];
    const { updates } = await run(nodes);
    await connects({ address, node, behaviour: 'takes it' });
    expect(await updates.wanted(sessionOf(node))).toBeUndefined();
    expect(await run(nodes, updates)).toMatchObject({ count: 0 });
  });

  it('are counted where others give it back', async () => {
    const nodes = [await nodeThat('takes it', 'd1'), await nodeThat('gives it back', 'd2')];
    const { count, events } = await run(nodes);
    expect(count).toBe(1);
    expect(events.at(-1)).toMatch(/^warning .* d2/);
  });
});

describe('agents that have the bundle, under another unit file and another Node', () => {
  /** What the agent of a node is ordered to become, first to last; each time it comes back as the next of `programs`. */
  async function orders(name: string, [first, ...others]: readonly Program[]) {
    const { node, agent } = await fixture.enrol({ name });
    const address: AgentAddress = { port: fixture.port, agent };
    const seen: unknown[] = [];
    const serve = async (client: AgentClient, rest: readonly Program[]): Promise<void> => {
      const { id, type, body } = await client.next();
      const { transfer, ...order } = body as { transfer: string };
      seen.push({ type, ...order, content: await text(await openTransfer(address, transfer)) });
      client.send('result', {}, id);
      if (type === 'runtime') return serve(client, rest);
      client.close();
      await client.closed;
      const [next = {}, ...later] = rest;
      return serve(await greeted(address, node, next), later);
    };
    void serve(await greeted(address, node, first ?? {}), others);
    return { node, seen };
  }

  const older: Program = { agentDigest: DIGEST, runtime: '24.20.0', unit: 'an older unit' };
  const current: Program = { agentDigest: DIGEST, runtime: NODE.version, unit: UNIT.digest };
  const CHANGE = 'Node 24.20.0 -> 24.21.0, unit file';
  const bundle = { type: 'update-agent', digest: DIGEST, content: BUNDLE };
  const rest = [
    { type: 'runtime', digest: NODE.digest, content: 'node' },
    { ...bundle, unit: UNIT.text, runtime: NODE.digest },
  ];

  it('are given both', async () => {
    const { node, seen } = await orders('e1', [older, current]);
    const updates = started();
    expect(await updates.wanted(sessionOf(node))).toBe(CHANGE);
    const { count, events } = await run([node], updates);
    expect(count).toBe(1);
    expect(seen).toEqual(rest);
    expect(events).toEqual([
      ...[`started e1 agent ${CHANGE}`, 'info e1 sending Node 24.21.0 (0 MB)', `changed e1 agent ${CHANGE}`],
    ]);
    expect(await updates.wanted(sessionOf(node))).toBeUndefined();
  });

  it('are given them with the second update, where they took bundles alone until the first', async () => {
    const { node, seen } = await orders('e2', [{}, older, current]);
    const { count, events } = await run([node]);
    expect(count).toBe(1);
    expect(seen).toEqual([bundle, ...rest]);
    expect(events.filter((it) => it.startsWith('changed'))).toEqual([
      'changed e2 agent 0.1.0 -> 0.2.0',
      `changed e2 agent ${CHANGE}`,
    ]);
  });

  it('gave them back when they are as they were', async () => {
    const { node, seen } = await orders('e3', [older, older]);
    const { count, events } = await run([node]);
    expect(count).toBe(0);
    expect(seen).toEqual(rest);
    expect(events.at(-1)).toMatch(/^warning agent Node .* did not come up on e3, and the old one is back there/);
  });
});
