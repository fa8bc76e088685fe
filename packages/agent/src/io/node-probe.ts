import { existsSync, readFileSync } from 'node:fs';
import { arch, availableParallelism, hostname } from 'node:os';
import { dirname } from 'node:path';
import { exec, rm, statfs, syncPath } from '@silverlining/system';
import { isRunning } from '../core/converge/unit-state.ts';
import { parseLoad, parseMemory, parseOsRelease } from '../core/node-facts.ts';
import type { AgentPaths } from '../core/paths.ts';
import type { NodeProbe } from '../ports.ts';
import { streamJournal } from './journal.ts';
import { removeTree } from './remove-tree.ts';
import { showUnits } from './systemd.ts';

/** This node, as Linux and systemd tell it. */
export function createNodeProbe(paths: AgentPaths, nodeName: string): NodeProbe {
  return {
    async facts(program) {
      const [osRelease, memory, bootId] = readAll(
        '/etc/os-release',
        '/proc/meminfo',
        '/proc/sys/kernel/random/boot_id',
      );
      return {
        hostname: hostname(),
        os: parseOsRelease(osRelease),
        arch: arch(),
        cpus: availableParallelism(),
        memory: parseMemory(memory).total,
        bootId: bootId.trim(),
        ipv6: existsSync('/proc/net/if_inet6'),
        ...program,
      };
    },
    async measure(units, signal) {
      const [load, memory] = readAll('/proc/loadavg', '/proc/meminfo');
      const disk = await statfs(paths.data);
      const states = await showUnits(units, signal);
      return {
        clock: Date.now(),
        load: parseLoad(load),
        memory: parseMemory(memory),
        disk: { used: (disk.blocks - disk.bfree) * disk.bsize, total: disk.blocks * disk.bsize },
        units: [...states].map(([name, unit]) => ({
          name,
          active: isRunning(unit),
          state: unit.load === 'not-found' ? 'not found' : `${unit.active} (${unit.sub})`,
        })),
      };
    },
    streamLogs: (request, transfer, signal) => streamJournal(request, nodeName, { transfer, signal }),
    async forgetIdentity() {
      for (const path of [paths.config, paths.key, paths.certificate, paths.orderKey]) await rm(path, { force: true });
      await syncPath(dirname(paths.config));
      await exec(['systemctl', 'disable', '--', 'silver-agent.service'], { allowExit: 'any' });
    },
    async removeAgent() {
      await rm(paths.unit, { force: true });
      const folders = [dirname(paths.config), dirname(paths.bundles), paths.data];
      const removals = await Promise.allSettled(folders.map((folder) => removeTree(folder)));
      for (const it of removals) if (it.status === 'rejected') throw it.reason;
    },
  };
}

/**
 * Files of the kernel, which keep nobody waiting. Read in the background each takes a buffer of 64 KB, every few seconds, and
 * those are most of what there is to collect while an agent has nothing to do.
 */
function readAll(...paths: string[]): [string, string, string] {
  const [first = '', second = '', third = ''] = paths.map((path) => readFileSync(path, 'utf8'));
  return [first, second, third];
}
