import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeName, SlError, setName } from '@silverlining/protocol';
import { makeDirectoryDurable, writeFileDurable } from '@silverlining/system';
import * as z from 'zod/mini';

const uuid = z.string().check(z.regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/));

/** Linux allows no longer host names. */
const MAX_HOST_NAME = 64;

/** `node.json`: everything that follows from it can be made again; what is in it cannot. */
const nodeRecord = z.object({
  version: z.literal(1),
  uuid,
  set: setName,
  name: nodeName.check(z.maxLength(MAX_HOST_NAME)),
  /** IPv4 address on the bridge. */
  address: z.ipv4(),
  /** Directory name of the image under `images`. */
  image: z.string().check(z.regex(/^[a-z0-9-]+$/)),
  /** Whether the disk has what a first boot needs; from then on it is the node's own. */
  prepared: z.boolean(),
  /** Public host key, `ssh-ed25519 AAAA...`; known once the disk is prepared. */
  hostKey: z.optional(z.string()),
});
export type NodeRecord = z.infer<typeof nodeRecord>;

/** Paths and names that belong to a node and follow from its UUID alone, so that it can be removed when all else is lost. */
export interface NodePaths {
  directory: string;
  record: string;
  lower: string;
  upper: string;
  work: string;
  root: string;
  data: string;
  log: string;
  /** Name of the container: the random end of the UUID, short enough for the host's network interface, `vb-` and this. */
  machine: string;
  hostInterface: string;
  /** What systemd-nspawn leaves behind in /run when it is killed. */
  runtimeDirectory: string;
}

export function nodePaths(nodes: string, id: string): NodePaths {
  if (!uuid.safeParse(id).success)
    throw new SlError('E_PROVIDER', `"${id}" is not the id of a local node: ids are UUIDs`);
  const directory = join(nodes, id);
  const machine = id.slice(-12);
  return {
    directory,
    record: join(directory, 'node.json'),
    lower: join(directory, 'lower'),
    upper: join(directory, 'upper'),
    work: join(directory, 'work'),
    root: join(directory, 'root'),
    data: join(directory, 'data'),
    log: join(directory, 'console.log'),
    machine,
    hostInterface: `vb-${machine}`,
    runtimeDirectory: `/run/systemd/nspawn/propagate/${machine}`,
  };
}

/** The record, or undefined when there is none: such a node was never begun, or is all but destroyed. */
export async function readNode(paths: NodePaths): Promise<NodeRecord | undefined> {
  const text = await readFile(paths.record, 'utf8').catch(absent);
  if (text === undefined) return undefined;
  try {
    return nodeRecord.parse(JSON.parse(text));
  } catch (cause) {
    throw new SlError('E_PROVIDER', `${paths.record} is damaged; remove ${paths.directory} to give the node up`, {
      cause,
    });
  }
}

export async function writeNode(paths: NodePaths, record: NodeRecord): Promise<void> {
  await makeDirectoryDurable(paths.directory);
  await writeFileDurable(paths.record, `${JSON.stringify(record, null, 2)}\n`);
}

/** All nodes of the state directory, of whichever set, by name. */
export async function readNodes(nodes: string): Promise<NodeRecord[]> {
  const names = await readdir(nodes).catch(absent);
  const ids = (names ?? []).filter((name) => uuid.safeParse(name).success);
  const records = await Promise.all(ids.map((id) => readNode(nodePaths(nodes, id))));
  const present = records.filter((record) => record !== undefined);
  return present.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The record of a node that is to be; throws SlError E_PROVIDER when it could not be one. */
export function newNode(fields: Omit<NodeRecord, 'version' | 'prepared' | 'hostKey'>): NodeRecord {
  const parsed = nodeRecord.safeParse({ version: 1, prepared: false, ...fields });
  if (parsed.success) return parsed.data;
  const why = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  throw new SlError('E_PROVIDER', `"${fields.name}" cannot be a local node: ${why}`);
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}
