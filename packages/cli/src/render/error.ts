import { type Problem, problem, type SlError } from '@silverlining/protocol';
import type { Paint } from './paint.ts';
import { clean, cleanLines, count } from './text.ts';

/** What to do about an error, where its message alone does not say it. */
const HINTS: Partial<Record<SlError['code'], string>> = {
  E_INTERNAL: 'this is a defect: sl controller logs, and -v, show where',
  E_NODE_DISCONNECTED: 'sl status shows which nodes answer',
};

/** An error for people: what, where, the log's last lines, what to do. With `verbose` the stacks of it and its causes. */
export function errorLines(error: SlError, verbose: boolean, paint: Paint): string[] {
  const { node } = error.details;
  const problems = problemsOf(error);
  if (problems.length > 0)
    return [...problems.map((it) => problemLine(it, paint)), problemSummary(problems), ...stacks(error, verbose)];
  const [first = '', ...rest] = cleanLines(error.message);
  const hint = HINTS[error.code];
  return [
    `${paint('red', 'error:')} ${node === undefined || first.includes(node) ? '' : `${node}: `}${first} ${paint('dim', `[${error.code}]`)}`,
    ...rest.map((line) => `  ${line}`),
    ...logLines(error.details.log, paint),
    ...(hint === undefined ? [] : [hint]),
    ...stacks(error, verbose),
  ];
}

/** `file:line: message`, as editors and terminals know to open it. */
export function problemLine(it: Problem, paint: Paint): string {
  const place = it.line === 0 ? it.file : `${it.file}:${it.line}`;
  const severity = it.severity === 'warning' ? `${paint('yellow', 'warning:')} ` : '';
  return `${paint('bold', `${clean(place)}:`)} ${severity}${clean(it.message)}`;
}

function problemSummary(problems: readonly Problem[]): string {
  const errors = problems.filter((it) => it.severity === 'error').length;
  const warnings = problems.length - errors;
  return [...(errors > 0 ? [count(errors, 'error')] : []), ...(warnings > 0 ? [count(warnings, 'warning')] : [])].join(
    ', ',
  );
}

function problemsOf(error: SlError): Problem[] {
  const { problems } = error.details;
  return Array.isArray(problems) ? problems.filter((it) => problem.safeParse(it).success) : [];
}

function logLines(log: unknown, paint: Paint): string[] {
  if (!Array.isArray(log) || log.length === 0) return [];
  return log.map((line) => `  ${paint('dim', '|')} ${clean(String(line))}`);
}

function stacks(error: unknown, verbose: boolean): string[] {
  const lines: string[] = [];
  if (!verbose) return lines;
  for (let at = error; at instanceof Error; at = at.cause) {
    lines.push(...cleanLines(`${lines.length === 0 ? '' : 'caused by '}${at.stack ?? at.message}`));
  }
  return lines;
}
