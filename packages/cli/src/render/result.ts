import { anyResult, type DeployRecord, type UpResult } from '@silverlining/protocol';
import type { Paint } from './paint.ts';
import { bytes, count, duration, grouped, table } from './text.ts';

/** What the result of any operation may hold. */
export interface AnyResult {
  set?: string | undefined;
  changes?: number | undefined;
  deploys: DeployRecord[];
  sites: UpResult['sites'];
  destroyed?: string[] | undefined;
  keepsMachines?: boolean | undefined;
}

/** The known parts of an operation's result, whatever operation it was; what does not fit is left out. */
export function readResult(result: unknown): AnyResult {
  const parts = anyResult.safeParse(result).data ?? {};
  return { ...parts, deploys: parts.deploys ?? [], sites: parts.sites ?? [] };
}

/** The end of an operation, for people: deploys, what was destroyed, changes and time, and where the sites are. */
export function resultLines(result: AnyResult, ms: number | undefined, paint: Paint): string[] {
  return [
    ...result.deploys.flatMap((it) => deployLines(it, paint)),
    ...(result.destroyed === undefined ? [] : [destroyedLine(result.destroyed, result.keepsMachines === true)]),
    ...(result.changes === undefined ? [] : [summary(result, ms)]),
    ...siteLines(result.sites, paint),
  ];
}

function siteLines(sites: AnyResult['sites'], paint: Paint): string[] {
  const rows = sites.map(({ url, app, address }) => [url, app, address]);
  return table(rows, (text, _row, column) => paint(column === 0 ? 'cyan' : 'dim', text)).map((row) => `  ${row}`);
}

function summary({ set, changes = 0 }: AnyResult, ms: number | undefined): string {
  return `${set ?? 'done'}: ${count(changes, 'change')}${ms === undefined ? '' : ` in ${duration(ms)}`}`;
}

function destroyedLine(names: readonly string[], keepsMachines: boolean): string {
  if (names.length === 0) return 'nothing was left to destroy';
  const nodes = `${count(names.length, 'node')}: ${names.join(', ')}`;
  return keepsMachines ? `handed back ${nodes}` : `destroyed ${nodes}`;
}

const WATCHED = 'watched for some seconds more: rolled back everywhere if it crashes again and again (sl deploys show)';

/** One deploy: what became of it, what it cost, and what the balancers counted. */
function deployLines(it: DeployRecord, paint: Paint): string[] {
  const previous = it.previous === null ? '' : ` (before: ${it.previous})`;
  switch (it.outcome) {
    case 'unchanged':
      return [`${it.app}: unchanged, ${it.instance} is active`];
    case 'done':
      return [
        `${it.app}: ${paint('green', it.instance)} is active${previous}`,
        `  ${cost(it)}`,
        ...requestLines(it, paint),
        ...(it.watching === true ? [`  ${WATCHED}`] : []),
      ];
    case 'aborted':
      return [`${it.app}: ${it.instance} ${paint('red', 'was given up')}: ${stillActive(it)}`];
    case 'rolled-back':
      return [
        `${it.app}: ${it.instance} ${paint('red', 'was rolled back')}: ${stillActive(it)}`,
        ...requestLines(it, paint),
      ];
  }
}

function stillActive(it: DeployRecord): string {
  return it.previous === null ? 'nothing is active' : `${it.previous} is active as before`;
}

function cost(it: DeployRecord): string {
  return `${sentText(it)}, ${timesText(it)}`;
}

export function sentText({ files, bytes: size }: DeployRecord): string {
  if (files.sent === 0) return 'no file sent';
  return `${grouped(files.sent)} of ${count(files.total, 'file')} sent (${bytes(size.sent)})`;
}

export function timesText({ ms }: DeployRecord): string {
  const times = [`staged in ${duration(ms.stage)}`, `switched in ${duration(ms.switch)}`];
  if (ms.skew > 0) times.push(`skew ${duration(ms.skew)}`);
  return `${times.join(', ')}, ${duration(ms.total)} in all`;
}

export function requestLines({ requests }: DeployRecord, paint: Paint): string[] {
  if (requests === undefined) return [];
  const total = Object.values(requests.releases).reduce((sum, it) => sum + it.requests, 0);
  const bad = requests.failed + requests.stale > 0;
  const text = `${count(total, 'request')} around the switch: ${requests.failed} failed, ${requests.stale} of the old release after it`;
  return [`  ${bad ? paint('red', text) : text}`];
}
