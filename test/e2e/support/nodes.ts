/** The local nodes of a set as the machine's owner reaches them: beside `sl`, for what a test has to break or look at. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type ExecResult, exec } from '@silverlining/system';
import { findDirectories } from '../../../packages/controller/src/io/directories.ts';
import { LocalProvider, LocalSite } from '../../../packages/controller/src/io/provider/index.ts';
import { nodePaths } from '../../../packages/controller/src/io/provider/local-node-record.ts';
import type { ProviderNode } from '../../../packages/controller/src/ports.ts';
import { atConsole } from './console.ts';

export interface TestNode {
  name: string;
  address: string;
  /** The end of its network that is on this machine. */
  hostInterface: string;
  /** Runs a command as root on the node. */
  exec(argv: readonly string[], options?: { allowExit?: readonly number[]; input?: string }): Promise<ExecResult>;
  /** Copies files and folders, given as absolute paths, to the same places on another node. */
  copyTo(other: TestNode, paths: readonly string[]): Promise<void>;
  /** SIGKILL to its init and all else; the disk stays. */
  powerOff(): Promise<void>;
  powerOn(): Promise<void>;
  /** Takes the machine away, behind the back of `sl`. */
  destroy(): Promise<void>;
  /** What runs a command there, but for the command. */
  inside(): Promise<readonly string[]>;
}

const EXEC_TIMEOUT = 120_000;

/** By short name: `app1` for `app1.guestbook.internal`. */
export async function testNodes(set: string): Promise<Map<string, TestNode>> {
  const provider = new LocalProvider(new LocalSite(findDirectories()));
  const found = await provider.list(set, AbortSignal.timeout(30_000));
  return new Map(found.map((node) => [node.name.split('.')[0] ?? '', testNode(provider, node)]));
}

/** A machine that belongs to no set of `sl`: `name` says whose it is in the provider's books. */
export async function spareNode(name: string): Promise<TestNode> {
  const provider = new LocalProvider(new LocalSite(findDirectories()));
  const request = { uuid: randomUUID(), name: `${name}.internal`, set: name, size: undefined, image: undefined };
  return testNode(provider, await provider.create(request, () => undefined, AbortSignal.timeout(120_000)));
}

function testNode(provider: LocalProvider, node: ProviderNode): TestNode {
  const inside = () => atConsole(node.id);
  return {
    name: node.name,
    address: node.address,
    hostInterface: nodePaths(join(findDirectories().state, 'local/nodes'), node.id).hostInterface,
    inside,
    async copyTo(other, paths) {
      const take = [...(await inside()), 'tar', '-c', '-C', '/', ...paths.map((path) => path.slice(1))];
      const give = [...(await other.inside()), 'tar', '-x', '-C', '/'];
      const words = (argv: readonly string[]) => argv.map(quote).join(' ');
      const script = `set -o pipefail; ${words(take)} | ${words(give)}`;
      await exec(['bash', '-c', script], { deadline: EXEC_TIMEOUT });
    },
    exec: async (argv, more = {}) => exec([...(await inside()), ...argv], { deadline: EXEC_TIMEOUT, ...more }),
    powerOff: () => provider.powerOff(node.id),
    powerOn: async () => {
      await provider.start(node.id, AbortSignal.timeout(60_000));
    },
    destroy: () => provider.destroy(node.id, AbortSignal.timeout(60_000)),
  };
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
