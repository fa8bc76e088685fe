/** What the other tools have in common: they use SSH, put releases beside each other, and switch a link. */
import { join } from 'node:path';
import type { Command, Contender, Operation, Site } from './contender.ts';
import type { Fleet } from './fleet.ts';
import type { ToolGroup } from './tool-group.ts';

export const PEER_FILES = join(import.meta.dirname, 'peers');

export interface PeerInput {
  /** Names its control group, files and folder on the nodes. */
  name: string;
  fleet: Fleet;
  tool: ToolGroup;
  /** Folder of its own for what it needs here. */
  scratch: string;
  site: Site;
  /** Configured as its own documents recommend for speed; otherwise as it is when it was just installed. */
  isTuned: boolean;
  signal: AbortSignal;
}

export interface Peer {
  /** Names the tool, without its configuration. */
  title: string;
  variants: readonly string[];
  how: string;
  deploy(variant: string): Command;
  rollback(variant: string): Command;
  begin?(): Promise<void>;
  before?(operation: Operation, variant: string): Promise<void>;
}

/** Where the peer deploys to on nodes. */
export function rootOf(name: string): string {
  return `/var/www/${name}`;
}

/** The whole contender of what is particular to a peer. */
export function peerContender({ name, fleet, tool, isTuned, signal }: PeerInput, peer: Peer): Contender {
  const { how, variants } = peer;
  const title = isTuned ? peer.title : `${peer.title}, defaults`;
  const root = rootOf(name);
  const clear = async () => {
    await fleet.shell(`rm -rf ${root} && mkdir -p ${root}/releases`, signal);
  };
  let variant = '';
  return {
    ...{ name, title, how, variants },
    use: (chosen) => {
      variant = chosen;
    },
    host: `${name}.bench.test`,
    enter: `cd ${root}/current`,
    get full() {
      return peer.deploy(variant);
    },
    get nothing() {
      return peer.deploy(variant);
    },
    get change() {
      return peer.deploy(variant);
    },
    get rollback() {
      return peer.rollback(variant);
    },
    later: () => 0,
    begin: async () => {
      await tool.clear();
      await clear();
      await peer.begin?.();
    },
    before: async (operation) => peer.before?.(operation, variant),
    tidy: clear,
  };
}
