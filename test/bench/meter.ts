/** Measures one operation: its time, and what it costs the tool, the nodes and the wire. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { exec } from '@silverlining/system';
import { controlGroups } from '../../packages/controller/src/io/provider/local-cgroup.ts';
import { forgetPeak, peakMemory } from './peak-memory.ts';
import { cpuOf, pidsIn, type ToolGroup } from './tool-group.ts';

export interface Measurement {
  /** Seconds from the start of the command to its end. */
  seconds: number;
  /** Seconds until all that was written is on the disk as well. */
  onDisk: number;
  /** Bytes to all nodes and from them, by their interfaces. */
  sent: number;
  received: number;
  /** Seconds of CPU time: of the tool with all its processes, and of all nodes. What they do after the command is in it. */
  toolCpu: number;
  nodeCpu: number;
  /** Bytes of resident memory: of the tool's processes together at their peak, and of the agent that had the most. */
  toolMemory: number;
  agentMemory: number;
}

export interface MeteredNode {
  uuid: string;
  name: string;
  address: string;
}

const SAMPLE_EVERY = 100;
/** Quiet: less than this share of one CPU for all nodes and the tool together. */
const QUIET = 0.15;
const QUIET_WINDOW = 500;
const QUIET_DEADLINE = 60_000;

export interface MeterOptions {
  nodes: readonly MeteredNode[];
  tool: ToolGroup;
  /** Milliseconds after the command until the work that it leaves for later has begun. */
  later: number;
}

/** Runs `work` on a machine that is at rest, and measures until it is at rest again. */
export async function measure(options: MeterOptions, work: () => Promise<unknown>): Promise<Measurement> {
  const { tool, nodes, later } = options;
  await sync();
  await rest(options);
  const agents = (await Promise.all(nodes.map(agentPids))).flat();
  await Promise.all(agents.map(forgetPeak));
  const sampler = sampleMemory(tool);
  const before = await counters(options);
  const seconds = await timed(work).finally(sampler.end);
  const onDisk = seconds + (await timed(sync));
  const toolMemory = await sampler.peak();
  await sleep(later);
  await rest(options);
  const after = await counters(options);
  return {
    seconds,
    onDisk,
    sent: after.sent - before.sent,
    received: after.received - before.received,
    toolCpu: after.tool - before.tool,
    nodeCpu: after.nodes - before.nodes,
    toolMemory,
    agentMemory: Math.max(0, ...(await Promise.all(agents.map(peakMemory)))),
  };
}

async function counters({ nodes, tool }: MeterOptions) {
  const counter = (node: MeteredNode, name: string) => readFile(join(interfaceOf(node), 'statistics', name), 'utf8');
  const sum = (values: readonly (string | number)[]) => values.reduce((all: number, it) => all + Number(it), 0);
  // The host's end of the cable: what it sends is what the node gets.
  const sent = sum(await Promise.all(nodes.map((node) => counter(node, 'tx_bytes'))));
  const received = sum(await Promise.all(nodes.map((node) => counter(node, 'rx_bytes'))));
  return { sent, received, tool: await tool.cpu(), nodes: sum(await Promise.all(nodes.map(nodeCpu))) };
}

function interfaceOf({ uuid }: MeteredNode): string {
  return `/sys/class/net/vb-${uuid.slice(-12)}`;
}

async function nodeCpu({ uuid }: MeteredNode): Promise<number> {
  return cpuOf(await controlGroups(uuid));
}

/** Waits until nodes and tool have little to do, or for a minute. */
async function rest(options: MeterOptions): Promise<void> {
  const deadline = performance.now() + QUIET_DEADLINE;
  let last = await counters(options);
  while (performance.now() < deadline) {
    await sleep(QUIET_WINDOW);
    const now = await counters(options);
    const used = now.tool - last.tool + now.nodes - last.nodes;
    if (used < QUIET * (QUIET_WINDOW / 1000)) return;
    last = now;
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

function sync(): Promise<unknown> {
  return exec(['sync'], { deadline: 300_000 });
}

/** Looks every now and then, until it is told to end. */
function sampleMemory(tool: ToolGroup): { end(): void; peak(): Promise<number> } {
  const ended = new AbortController();
  const sampling = (async () => {
    let peak = 0;
    while (!ended.signal.aborted) {
      peak = Math.max(peak, await tool.memory());
      await sleep(SAMPLE_EVERY, undefined, { signal: ended.signal }).catch(() => undefined);
    }
    return peak;
  })();
  return { end: () => ended.abort(), peak: () => sampling };
}

async function agentPids({ uuid }: MeteredNode): Promise<number[]> {
  const [group = ''] = (await controlGroups(uuid)).paths;
  return pidsIn(join(group, 'payload/system.slice/silver-agent.service'));
}
