/** Silver Lining itself, as its user runs it. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from '../e2e/support/sl.ts';
import type { Command, Contender, Operation, Site } from './contender.ts';
import type { ToolGroup } from './tool-group.ts';

const SL = join(ROOT, 'packages/cli/bin/sl.js');
export const SET = 'bench';
const APP = 'site';
export const FIRST_PAGE = 'nothing yet\n';
/** Old instances are stopped, and old releases removed, ten seconds after a switch. */
const SETTLES_AFTER = 11_000;

/** The command line of `sl`. */
export function sl(args: readonly string[]): Command {
  return { argv: [process.execPath, SL, ...args] };
}

export interface ServerSetOptions {
  nodes: number;
  /** A `[provider]` section; local nodes without one. */
  provider?: string;
}

/** Writes a server set of app servers with one static app in `dir`, and returns its file. */
export async function writeServerSet(dir: string, { nodes, provider = '' }: ServerSetOptions): Promise<string> {
  const file = join(dir, 'silver.ini');
  await mkdir(join(dir, 'app/static'), { recursive: true });
  await writeFile(join(dir, 'app/static/index.html'), FIRST_PAGE);
  await writeFile(join(dir, 'app/app.ini'), `[production]\napp_name = ${APP}\nplatform = static\n`);
  await writeFile(
    file,
    `[general]
name = ${SET}
set_etc_hosts = false

${provider}
[appserver]
nodes = ${nodes}
load_balancer = false
locations =
    http://silver.bench.test/ ${APP}

[app:${APP}]
dir = app
keep = 2
`,
  );
  return file;
}

export interface SilverLiningInput {
  /** Its server set; the site's folder is that of the static files of the app beside it. */
  file: string;
  site: Site;
  tool: ToolGroup;
  signal: AbortSignal;
}

export function silverLining({ file, site, tool, signal }: SilverLiningInput): Contender {
  const deploy = sl(['deploy', '-f', file, '--json']);
  return {
    name: 'silver',
    title: 'Silver Lining',
    variants: ['sl'],
    use: () => undefined,
    how: '`sl deploy` and `sl rollback` of a `static` app; the controller runs already, as it does after the first command. Staging with verification of all that came, fsync, health checks and the switch are in the time. What goes to nodes on the same machine is not compressed.',
    host: 'silver.bench.test',
    enter: `cd "/var/www/$(sed -n 's/^${APP} //p' /var/lib/silverlining/proxy/active.map)/static"`,
    full: deploy,
    nothing: deploy,
    change: deploy,
    rollback: sl(['rollback', '-f', file, '--json']),
    later: (operation: Operation) => (operation === 'nothing' ? 0 : SETTLES_AFTER),
    // What the last app left is gone once a small one has taken its place.
    begin: async () => {
      await rm(site.dir, { recursive: true, force: true });
      await mkdir(site.dir, { recursive: true });
      await writeFile(join(site.dir, 'index.html'), FIRST_PAGE);
      await tool.run(sl(['up', '-f', file, '--yes']), signal);
    },
    before: async () => undefined,
    tidy: async () => undefined,
  };
}
