/** `sl logs`: the apps' last lines from every node, merged as they come. */
import { type ApiRequest, jsonLines, type LogLine, logLine, SlError, toSlError } from '@silverlining/protocol';
import type { NodeRecord } from '../ports.ts';
import type { LogsContext } from '../service.ts';
import { readTransfer } from './bulk.ts';
import { type ControllerDeps, onEach } from './deps.ts';
import { agentsBack } from './grace.ts';
import { NewestLines } from './newest-lines.ts';
import { knownApp } from './rollback.ts';
import { unknownSet } from './status.ts';

/** Milliseconds for a request that ends by itself; a followed one ends with its signal. */
const DEADLINE = 60_000;
const FOREVER = 2 ** 31 - 1;

type LogsDeps = Pick<ControllerDeps, 'store' | 'fleet' | 'clock'> & Parameters<typeof agentsBack>[0];

/**
 * Without `follow`: all lines, oldest first, when every node has sent its own. With it: each line as it comes, and one for a node whose
 * own will not come. What is wrong with one node keeps back no lines of the others; it is thrown when these have ended.
 */
export async function logs(deps: LogsDeps, request: ApiRequest<'logs'>, { emit, signal }: LogsContext): Promise<void> {
  const nodes = await nodesToRead(deps, request);
  await agentsBack(deps, nodes, { signal });
  if (request.follow) return void (await onEach(nodes, (node) => follow(deps, node, request, { emit, signal })));
  const newest = new NewestLines(request.lines);
  const keep = async (line: LogLine) => newest.add(line);
  try {
    await onEach(nodes, (node) => readNode(deps, node, request, { emit: keep, signal }));
  } finally {
    for (const line of newest.inOrder()) await emit(line);
  }
}

async function follow(
  deps: LogsDeps,
  node: NodeRecord,
  request: ApiRequest<'logs'>,
  { emit, signal }: LogsContext,
): Promise<void> {
  try {
    await readNode(deps, node, request, { emit, signal });
  } catch (error) {
    const text = `no more lines of this node: ${toSlError(error).message}`;
    if (!signal.aborted) await emit({ node: node.name, at: deps.clock.now(), source: 'sl', text });
    throw error;
  }
}

async function nodesToRead(deps: LogsDeps, request: ApiRequest<'logs'>): Promise<NodeRecord[]> {
  const set = await deps.store.set(request.set);
  if (set === undefined) throw unknownSet(request.set);
  if (request.app !== undefined) knownApp(set, request.app);
  const nodes = await deps.store.nodes(request.set);
  const named =
    request.node === undefined
      ? nodes.filter((it) => it.roles.includes('appserver'))
      : nodes.filter((it) => it.name === request.node || it.name.split('.')[0] === request.node);
  if (named.length > 0) return named;
  throw new SlError(
    request.node === undefined ? 'E_NOT_FOUND' : 'E_USAGE',
    `no node ${request.node ?? 'with an app'} in ${request.set}; there are ${nodes.map((it) => it.name).join(', ')}`,
  );
}

async function readNode(
  deps: LogsDeps,
  node: NodeRecord,
  request: ApiRequest<'logs'>,
  { emit, signal }: LogsContext,
): Promise<void> {
  const { app, lines, follow } = request;
  let left = follow ? Number.POSITIVE_INFINITY : lines;
  const options = { signal, deadline: follow ? FOREVER : DEADLINE };
  const order = { lines, follow, ...(app === undefined ? {} : { app }) };
  try {
    await readTransfer(deps, node.uuid, options, {
      request: (transfer) => deps.fleet.request(node.uuid, 'logs', { transfer, ...order }, options),
      async read(socket) {
        for await (const line of jsonLines(socket.setEncoding('utf8'))) {
          // Of lines without end the newest would be kept, and those of other nodes would wait for the deadline.
          if (left-- <= 0) throw tooMany(node.name, lines);
          await emit({ ...logLine.parse(JSON.parse(line)), node: node.name });
        }
      },
    });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function tooMany(node: string, lines: number): SlError {
  return new SlError('E_FRAME', `${node} sends more than the ${lines} lines that it was asked for`, {
    details: { node },
  });
}
