import { type DeploysResult, SlError } from '@silverlining/protocol';
import { errorLines } from './error.ts';
import type { Paint } from './paint.ts';
import { requestLines, sentText, timesText } from './result.ts';
import { clean, count, dateTime, duration, table } from './text.ts';

type Deploy = DeploysResult['deploys'][number];

/** Deploys, newest first. */
export function deploysLines({ set, deploys }: DeploysResult, paint: Paint): string[] {
  if (deploys.length === 0) return [`${set}: nothing was deployed yet`];
  const head = ['STARTED', 'APP', 'INSTANCE', 'OUTCOME', 'EPOCH', 'TIME', 'BY', 'ID'];
  const rows = deploys.map((it) => [
    dateTime(it.startedAt),
    it.app,
    it.instance,
    outcomeOf(it),
    String(it.epoch),
    duration(it.ms.total),
    it.by ?? '-',
    it.id,
  ]);
  const failed = (row: number) => deploys[row - 1]?.error !== undefined;
  return table([head, ...rows], (text, row, column) => {
    if (row === 0) return paint('dim', text);
    return column === 3 && failed(row) ? paint('red', text) : text;
  });
}

/** All that is known of one deploy. */
export function deployStory(it: Deploy, paint: Paint): string[] {
  const before = it.previous === null ? 'the first release' : `before: ${it.previous}`;
  const asked = it.by === undefined ? '' : ` by ${clean(it.by)}`;
  const outcome = it.error === undefined ? paint('green', outcomeOf(it)) : paint('red', outcomeOf(it));
  return [
    `${paint('bold', it.id)}: ${outcome}`,
    `  ${it.instance} (${before}), epoch ${it.epoch}`,
    `  started ${dateTime(it.startedAt)}${asked}`,
    `  ${timesText(it)}`,
    `  ${sentText(it)}; ${count(it.bytes.wire, 'byte')} over the wire`,
    ...requestLines(it, paint),
    ...releaseLines(it),
    ...(it.error === undefined ? [] : errorLines(SlError.fromWire(it.error), false, paint).map((line) => `  ${line}`)),
    ...timelineLines(it, paint),
  ];
}

function outcomeOf(it: Deploy): string {
  return it.state === 'ended' ? it.outcome : `${it.state} (still running)`;
}

function releaseLines({ requests }: Deploy): string[] {
  const rows = Object.entries(requests?.releases ?? {}).map(([release, { requests: all, failed }]) => [
    release,
    count(all, 'request'),
    `${failed} failed`,
  ]);
  return table(rows).map((row) => `    ${row}`);
}

/** In the order of a deploy; what is not among them comes after. */
const EVENTS = ['received', 'started', 'healthy', 'staged', 'hook', 'committed', 'switched', 'failed'];

/** A line for each node, with when what happened there, since the start. */
function timelineLines({ timeline = [] }: Deploy, paint: Paint): string[] {
  if (timeline.length === 0) return [];
  const events = [...new Set([...EVENTS, ...timeline.map((it) => it.event)])].filter((event) =>
    timeline.some((it) => it.event === event),
  );
  const nodes = [...new Set(timeline.map((it) => it.node))];
  const at = (node: string, event: string): string => {
    const found = timeline.filter((it) => it.node === node && it.event === event);
    return found.map(({ ms }) => duration(ms)).join(', ') || '-';
  };
  const head = ['NODE', ...events.map((event) => event.toUpperCase())];
  const rows = nodes.map((node) => [node, ...events.map((event) => at(node, event))]);
  return ['', ...table([head, ...rows], (text, row) => (row === 0 ? paint('dim', text) : text))];
}
