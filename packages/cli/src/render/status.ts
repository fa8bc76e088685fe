import type { StatusResult } from '@silverlining/protocol';
import type { Paint, Style } from './paint.ts';
import { bytes, clean, duration, table } from './text.ts';

type NodeStatus = StatusResult['nodes'][number];
const STATE_STYLES: Record<NodeStatus['state'], Style> = {
  healthy: 'green',
  degraded: 'yellow',
  down: 'red',
  missing: 'red',
};

/** Nodes, why those that are not healthy are not, and apps. `now`: milliseconds since 1970. */
export function statusLines(status: StatusResult, now: number, paint: Paint): string[] {
  const { set, generation, controller, nodes } = status;
  const stateStyle = new Map(nodes.map((node, i) => [i + 1, STATE_STYLES[node.state]]));
  const head = ['NODE', 'STATE', 'ADDRESS', 'ROLES', 'GENERATION', 'LOAD', 'MEMORY', 'DISK', 'SEEN'];
  const rows = table([head, ...nodes.map((node) => nodeCells(node, now))], (text, row, column) => {
    if (row === 0) return paint('dim', text);
    const style = column === 1 ? stateStyle.get(row) : undefined;
    return style === undefined ? text : paint(style, text);
  });
  const up = duration(Math.max(0, now - controller.upSince));
  return [
    `${paint('bold', set)}: generation ${generation}; controller ${controller.version}, pid ${controller.pid}, up ${up}`,
    '',
    ...rows,
    ...nodes.flatMap((node) =>
      node.reasons.map((reason) => `  ${paint(STATE_STYLES[node.state], `${node.name}:`)} ${clean(reason)}`),
    ),
    ...status.apps.flatMap((app) => ['', ...appLines(app, paint)]),
  ];
}

function nodeCells(node: NodeStatus, now: number): string[] {
  const usage = (it: NodeStatus['memory']) => (it === null ? '-' : `${bytes(it.used)}/${bytes(it.total)}`);
  return [
    node.name,
    node.state,
    node.address ?? '-',
    node.roles.join(' '),
    node.generation === null ? '-' : String(node.generation),
    node.load === null ? '-' : node.load.toFixed(2),
    usage(node.memory),
    usage(node.disk),
    seen(node.lastSeen, now),
  ];
}

function seen(at: number | null, now: number): string {
  if (at === null) return 'never';
  const ms = Math.max(0, now - at);
  if (ms < 2_000) return 'now';
  return `${ms < 60_000 ? `${Math.round(ms / 1000)} s` : duration(ms)} ago`;
}

function appLines(app: StatusResult['apps'][number], paint: Paint): string[] {
  const active = app.active === null ? paint('yellow', 'nothing is active') : paint('green', app.active);
  const rows = app.instances.map((it) => [it.node, it.instance, it.state]);
  return [
    `${paint('bold', app.name)}: ${active}${app.locations.length === 0 ? '' : `  ${app.locations.join(' ')}`}`,
    ...table(rows).map((row) => `  ${row}`),
    ...app.notices.map((notice) => `  ${paint('yellow', clean(notice))}`),
  ];
}
