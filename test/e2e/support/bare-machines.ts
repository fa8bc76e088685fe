import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ExecResult, exec } from '@silverlining/system';
import type { ProviderNode } from '../../../packages/controller/src/ports.ts';
import { atConsole } from './console.ts';
import { makeLocalState } from './local-state.ts';

/** Machines that something else made: Silver Lining knows no more of them than that SSH reaches them. */
export interface BareMachines {
  machines: { name: string; address: string }[];
  /** Private key that root's account on all of them accepts. */
  identityFile: string;
  /** Holds the host keys of all of them. */
  knownHostsFile: string;
  /** The lines of a `[provider]` section for them, without its heading. */
  section: string;
  /** The same as options of `HostsProvider`. */
  options: { hosts: string; identity: string; known_hosts: string };
  /** Runs a command as root at the machine's console, as it were: without SSH. */
  exec(name: string, argv: readonly string[], options?: { allowExit?: readonly number[] }): Promise<ExecResult>;
  /** Pulls the plug, as it were; the disk stays. */
  powerOff(name: string): Promise<void>;
  powerOn(name: string): Promise<void>;
  destroy(): Promise<void>;
}

export interface BareMachineOptions {
  /** `debian:bookworm` when not given. */
  image?: string;
  /** Images of single machines, by name. */
  images?: Readonly<Record<string, string>>;
}

/** Makes one plain Debian machine for each name; call `destroy` at the end, whatever happened. */
export async function makeBareMachines(
  names: readonly string[],
  options: BareMachineOptions = {},
): Promise<BareMachines> {
  const { provider, directories, remove } = await makeLocalState({ image: options.image });
  const signal = AbortSignal.timeout(10 * 60_000);
  const create = (name: string) => {
    const request = { uuid: randomUUID(), name, set: 'bare', size: undefined, image: options.images?.[name] };
    return provider.create(request, () => undefined, signal);
  };
  const outcomes = await Promise.allSettled(names.map(create));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) {
    await remove();
    throw failed.reason;
  }
  const nodes = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const knownHostsFile = join(directories.state, 'known_hosts');
  await writeFile(knownHostsFile, knownHosts(nodes));
  const find = (name: string) => nodes.find((node) => node.name === name)?.id ?? `no machine ${name}`;
  return {
    ...describe(nodes, knownHostsFile),
    knownHostsFile,
    exec: async (name, argv, more = {}) =>
      exec([...(await atConsole(find(name))), ...argv], { deadline: 180_000, ...more }),
    powerOff: (name) => provider.powerOff(find(name)),
    powerOn: async (name) => {
      await provider.start(find(name), new AbortController().signal);
    },
    destroy: remove,
  };
}

function describe(nodes: readonly ProviderNode[], knownHostsFile: string) {
  const identityFile = nodes[0]?.ssh.identityFile ?? '';
  const lines = nodes.map((node) => `${node.name} ${node.address}`);
  const options = { hosts: lines.join('\n'), identity: identityFile, known_hosts: knownHostsFile };
  const section = [
    'provider = hosts',
    'hosts =',
    ...lines.map((line) => `    ${line}`),
    `identity = ${identityFile}`,
    `known_hosts = ${knownHostsFile}`,
  ];
  return {
    machines: nodes.map(({ name, address }) => ({ name, address })),
    identityFile,
    section: `${section.join('\n')}\n`,
    options,
  };
}

function knownHosts(nodes: readonly ProviderNode[]): string {
  const lines = nodes.flatMap((node) => (node.ssh.hostKeys ?? []).map((key) => `${node.address} ${key}`));
  return `${lines.join('\n')}\n`;
}
