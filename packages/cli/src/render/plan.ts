import type { Plan, PlanStep } from '@silverlining/protocol';
import type { Paint } from './paint.ts';
import { clean, count } from './text.ts';

/** What `sl up` is going to do, a line for each step. */
export function planLines(plan: Plan, paint: Paint): string[] {
  const title = `${paint('bold', plan.set)}: ${count(plan.nodes.length, 'node')}, ${count(plan.changes, 'change')}`;
  if (plan.steps.length === 0) return [...formerLines(plan, paint), `${title}; everything is as the file says`];
  return [...formerLines(plan, paint), title, ...plan.steps.map((step) => stepLine(step, paint))];
}

function formerLines({ set, formerFile }: Plan, paint: Paint): string[] {
  if (formerFile === undefined) return [];
  const text = `${set} was brought up from ${clean(formerFile)} before; if that is another project, give one of them a name of its own (name in [general])`;
  return [`${paint('yellow', 'warning:')} ${text}`];
}

const MARKS: Partial<Record<PlanStep['action'], ['+' | '-', 'green' | 'red']>> = {
  'create-node': ['+', 'green'],
  'destroy-node': ['-', 'red'],
  'drain-node': ['-', 'red'],
  'remove-app': ['-', 'red'],
};

function stepLine(step: PlanStep, paint: Paint): string {
  const [mark, style] = MARKS[step.action] ?? ['~', 'yellow'];
  return `  ${paint(style, mark)} ${clean(step.summary)}`;
}
