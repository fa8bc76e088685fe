/** The texts of the maps that the web server and the balancer look instances up in. */
import type { ActiveMap } from '@silverlining/protocol';
import type { InstanceJournal } from './journal.ts';

/** Ports of the instances that can be asked; `static` for those without a process. */
export type InstancePorts = ReadonlyMap<string, number>;

/** Apache's RewriteMap `INSTANCE PORT`. */
export function instancesMapText(instances: InstancePorts): string {
  const lines = [...instances].map(([instance, port]) => `${instance} ${port === 0 ? 'static' : port}\n`);
  return lines.sort().join('');
}

/** Apache's RewriteMap `APP.1 INSTANCE`, `APP.2 INSTANCE`, ...: releases of an app that are whole and not active, the newest first. */
export function othersMapText(journals: readonly InstanceJournal[], active: ActiveMap): string {
  const whole = journals.filter((it) => it.state === 'prepared' || it.state === 'stopped');
  const counts = new Map<string, number>();
  const lines = whole
    .filter((it) => active[it.spec.app] !== it.instance)
    .sort((a, b) => newerFirst(a.instance, b.instance))
    .map(({ spec: { app }, instance }) => {
      counts.set(app, (counts.get(app) ?? 0) + 1);
      return `${app}.${counts.get(app)} ${instance}\n`;
    });
  return lines.join('');
}

/** Names of a day grow longer, not only larger. */
function newerFirst(a: string, b: string): number {
  // Not by a collator, which takes 3 MB of memory once it was used.
  const [dayA = '', numberA = ''] = a.split('_').slice(-2);
  const [dayB = '', numberB = ''] = b.split('_').slice(-2);
  if (dayA !== dayB) return dayA < dayB ? 1 : -1;
  return Number(numberB) - Number(numberA);
}

/** `APP INSTANCE`, for Apache's RewriteMap and for HAProxy alike. */
export function activeMapText(active: ActiveMap): string {
  const apps = Object.keys(active).sort();
  return apps.map((app) => `${app} ${active[app]}\n`).join('');
}

/** Entries of one `add map` command: HAProxy takes 16 KiB with a command, and an entry has 96 characters at most. */
const CHUNK = 100;

/** The commands of HAProxy's runtime API that add the map to a prepared version, and the one that puts it in force. */
export function mapTransaction(path: string, version: number, active: ActiveMap): { add: string[]; commit: string } {
  const lines = activeMapText(active).split('\n').slice(0, -1);
  const add: string[] = [];
  for (let i = 0; i < lines.length; i += CHUNK) {
    add.push(`add map @${version} ${path} <<\n${lines.slice(i, i + CHUNK).join('\n')}\n`);
  }
  return { add, commit: `commit map @${version} ${path}` };
}

/** The map out of the answer to `show map PATH`: lines of `POINTER KEY VALUE`. */
export function parseShownMap(text: string): ActiveMap {
  const active: ActiveMap = {};
  for (const line of text.split('\n')) {
    const [, app, instance] = /^0x[0-9a-f]+ (\S+) (\S+)$/.exec(line.trim()) ?? [];
    if (app !== undefined && instance !== undefined && !app.startsWith('prev:')) active[app] = instance;
  }
  return active;
}

export function sameMap(a: ActiveMap, b: ActiveMap): boolean {
  return activeMapText(a) === activeMapText(b);
}
