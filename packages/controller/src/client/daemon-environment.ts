import { join } from 'node:path';
import type { Directories } from '../io/directories.ts';
import { sshAgentPath } from './ssh-agent.ts';

/** What ssh, apt and the directories need; the rest of a shell's environment would outlive the shell in the daemon. */
const KEPT = /^(?:HOME|PATH|USER|LOGNAME|SHELL|LANG|TZ|TMPDIR|XDG_.*|SILVER_.*|SL_.*)$/;
const PROXIES = /^(?:https?|no|all)_proxy$/i;
/** How npm reaches its registry, from where a runtime for another architecture comes. */
const NPM = /^(?:node_extra_ca_certs|npm_config_(?:registry|userconfig|cafile|strict_ssl|(?:https_)?proxy|noproxy))$/i;

/**
 * glibc's, which reads them when a process starts. Every connection of an agent has buffers of 64 and 16 KiB of which it uses
 * the beginning: as mappings of their own, the rest of them takes no memory. The kernel allows 65,530 mappings, and V8 needs some.
 */
const MALLOC = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '16384',
  MALLOC_MMAP_MAX_: '45000',
  MALLOC_TRIM_THRESHOLD_: '131072',
  MALLOC_TOP_PAD_: '16384',
};

/**
 * Arguments of Node for the daemon: fewer young objects kept; a collection when there is half as much again as the last one left, where
 * V8 would wait for two to four times as much; and what is dead given back when there is little to do. One optimising compiler of two:
 * the other one takes longer than what it makes saves, a tenth of a deploy's CPU time here; but for the loop over all bytes of large
 * files, the one function that it is for. What was compiled stays for the next deploy. The quick compiler runs in no other thread: one
 * that waits for a collection while the process ends keeps it from ending.
 */
const FLAGS = [
  '--max-semi-space-size=8',
  '--heap-growing-percent=50',
  '--expose-gc',
  '--turbo-filter=firstCut',
  '--no-flush-bytecode',
  '--no-concurrent-sparkplug',
];

/** How Node is started to be the daemon, in the background or not. */
export function daemonCommand(entry: string, env: NodeJS.ProcessEnv, directories: Directories) {
  return { args: [...FLAGS, entry, 'daemon'], env: daemonEnvironment(env, directories) };
}

/** The environment of the daemon: a few variables of the one who starts it. */
export function daemonEnvironment(env: NodeJS.ProcessEnv, directories: Directories): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => [KEPT, PROXIES, NPM].some((it) => it.test(name)));
  return {
    ...Object.fromEntries(kept),
    ...MALLOC,
    SSH_AUTH_SOCK: sshAgentPath(directories.state),
    NODE_COMPILE_CACHE: join(directories.cache, 'compiled'),
  };
}
