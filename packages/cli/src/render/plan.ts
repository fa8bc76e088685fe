import type { Plan, PlanStep } from '@silverlining/protocol';
import type { Paint } from './paint.ts';
import { clean, count } from './text.ts';

/** What `sl up` is going to do, a line for each step. */
export function planLines(plan: Plan, paint: Paint): string[] {
  const title = `${paint('bold', plan.set)}: ${count(plan.nodes.length, 'node')}, ${count(plan.changes, 'change')}`;
  const steps = plan.steps.map((step) => stepLine(step, paint));
  const warnings = plan.formerFile === undefined ? [] : [formerLine(plan.set, plan.formerFile, paint)];
  return [...warnings, steps.length === 0 ? `${title}; everything is as the file says` : title, ...steps];
}

function formerLine(set: string, file: string, paint: Paint): string {
  const text = `${set} was brought up from ${clean(file)} before; if that is another project, give one of them a name of its own (name in [general])`;
  return `${paint('yellow', 'warning:')} ${text}`;
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
