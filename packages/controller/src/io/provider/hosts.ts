import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { ipAddress, nodeName, SlError } from '@silverlining/protocol';
import * as z from 'zod/mini';
import { isUserName } from '../../core/config/host-line.ts';
import type { CreateNodeRequest, NodeImage, NodeSize, Provider, ProviderNode } from '../../ports.ts';

/** Options of `[provider]` with `provider = hosts`, as the file gives them. */
export interface HostsOptions {
  /** Lines of `name address`, each with its own `user=`, `port=`, `identity=`, `known_hosts=` at the end if it needs any. */
  hosts?: string | undefined;
  user?: string | undefined;
  port?: string | undefined;
  identity?: string | undefined;
  known_hosts?: string | undefined;
}

const user = z.string().check(z.refine(isUserName));
const port = z.pipe(z.coerce.number(), z.int().check(z.minimum(1), z.maximum(65535)));
const LINE_KEYS = ['user', 'port', 'identity', 'known_hosts'] as const;

/**
 * Machines that something else made. They are what the file says they are: `list` asks nobody, `create` cannot, and
 * `destroy` forgets, that is, it leaves the machine and what is on it alone.
 */
export class HostsProvider implements Provider {
  readonly driver = 'hosts';
  readonly keepsMachines = true;
  readonly onThisMachine = false;
  readonly #nodes: ProviderNode[];

  /** `baseDirectory` is what relative paths in the options are relative to. Throws SlError E_CONFIG naming every problem. */
  constructor(options: HostsOptions, baseDirectory?: string) {
    this.#nodes = parseHosts(options, baseDirectory);
  }

  async list(): Promise<ProviderNode[]> {
    return this.#nodes.map((node) => ({ ...node }));
  }

  async create(request: CreateNodeRequest, _report: unknown, signal: AbortSignal): Promise<ProviderNode> {
    if (signal.aborted) throw new SlError('E_ABORTED', `looking for ${request.name} was cancelled`);
    const node = this.#nodes.find(({ name }) => name === request.name);
    if (node !== undefined) return { ...node };
    throw new SlError(
      'E_PROVIDER',
      `provider = hosts cannot create ${request.name}: add the line "${request.name} ADDRESS" to hosts in [provider], ` +
        'with the address of a machine that SSH reaches',
      { details: { node: request.name } },
    );
  }

  async start(id: string): Promise<ProviderNode> {
    const node = this.#nodes.find((candidate) => candidate.id === id);
    if (node === undefined) throw new SlError('E_PROVIDER', `there is no host ${id} in [provider]`);
    return { ...node };
  }

  async destroy(): Promise<void> {}

  async sizes(): Promise<NodeSize[]> {
    return [];
  }

  async images(): Promise<NodeImage[]> {
    return [];
  }

  async cleanUp(): Promise<void> {}
}

function parseHosts(options: HostsOptions, baseDirectory: string | undefined): ProviderNode[] {
  const lines = (options.hosts ?? '').split('\n').map((line) => line.trim());
  const given = lines.filter((line) => line !== '');
  const problems: string[] = [];
  if (given.length === 0) problems.push('hosts has no lines; give one "name address" for each machine');
  const nodes: ProviderNode[] = [];
  for (const line of given) {
    try {
      nodes.push(parseLine(line, options, baseDirectory));
    } catch (error) {
      problems.push(`"${line}": ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  for (const name of repeated(nodes.map((node) => node.name))) problems.push(`${name} stands twice`);
  if (problems.length > 0)
    throw new SlError('E_CONFIG', `[provider] hosts: ${problems.join('; ')}`, { details: { problems } });
  return nodes;
}

/** Throws an Error that says what is wrong with the line. */
function parseLine(line: string, options: HostsOptions, baseDirectory: string | undefined): ProviderNode {
  const [name, where, ...settings] = line.split(/\s+/);
  if (where === undefined) throw new Error('a line is "name address", then user=..., port=... where they differ');
  const own: HostsOptions = { ...options, ...Object.fromEntries(settings.map(parseSetting)) };
  const host = check(ipAddress, where, 'IP address');
  const path = (value: string | undefined) => (value === undefined ? undefined : expandPath(value, baseDirectory));
  return {
    id: check(nodeName, name, 'name'),
    name: check(nodeName, name, 'name'),
    uuid: undefined,
    address: host,
    state: 'running',
    ssh: {
      host,
      port: check(port, own.port ?? '22', 'port'),
      user: check(user, own.user ?? 'root', 'user'),
      identityFile: path(own.identity),
      knownHostsFile: path(own.known_hosts),
    },
  };
}

function parseSetting(text: string): [string, string] {
  const [key = '', ...value] = text.split('=');
  if (!LINE_KEYS.some((known) => known === key) || value.length === 0) {
    throw new Error(`"${text}" is none of ${LINE_KEYS.map((known) => `${known}=...`).join(', ')}`);
  }
  return [key, value.join('=')];
}

function check<T>(schema: z.ZodMiniType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new Error(`the ${what} "${String(value)}" is not valid`);
}

/** The controller runs elsewhere than the command line did, so a relative path means nothing without its base. */
function expandPath(path: string, baseDirectory: string | undefined): string {
  if (path === '~' || path.startsWith('~/')) return join(homedir(), path.slice(1));
  if (isAbsolute(path)) return path;
  if (baseDirectory === undefined) throw new Error(`the path "${path}" must be absolute or start with ~/`);
  return resolve(baseDirectory, path);
}

function repeated(names: string[]): string[] {
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
}
