import type { DeploysResult, StatusResult } from '@silverlining/protocol';
import type { Paint, Style } from './paint.ts';
import { bytes, clean, dateTime, duration, table } from './text.ts';

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
  ];
}

/** Deploys, newest first. */
export function deploysLines({ set, deploys }: DeploysResult, paint: Paint): string[] {
  if (deploys.length === 0) return [`${set}: nothing was deployed yet`];
  const head = ['STARTED', 'APP', 'INSTANCE', 'OUTCOME', 'EPOCH', 'TIME', 'ID'];
  const rows = deploys.map((it) => [
    dateTime(it.startedAt),
    it.app,
    it.instance,
    it.state === 'ended' ? it.outcome : it.state,
    String(it.epoch),
    duration(it.ms.total),
    it.id,
  ]);
  const failed = (row: number) => deploys[row - 1]?.error !== undefined;
  return table([head, ...rows], (text, row, column) => {
    if (row === 0) return paint('dim', text);
    return column === 3 && failed(row) ? paint('red', text) : text;
  });
}
