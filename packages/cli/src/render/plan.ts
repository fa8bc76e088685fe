import type { Plan, PlanStep } from '@silverlining/protocol';
import type { Paint } from './paint.ts';
import { clean, count } from './text.ts';

/** What `sl up` is going to do, by node, then for the set as a whole. */
export function planLines(plan: Plan, paint: Paint): string[] {
  const title = `${paint('bold', plan.set)}: ${count(plan.nodes.length, 'node')}, ${count(plan.changes, 'change')}`;
  if (plan.steps.length === 0) return [`${title}; everything is as the file says`];
  const nodes = plan.nodes.flatMap((node) => {
    const steps = plan.steps.filter((step) => step.node === node.name);
    return steps.length === 0 ? [] : ['', nodeTitle(node, paint), ...steps.map((step) => stepLine(step, paint))];
  });
  const named = new Set(plan.nodes.map((node) => node.name));
  // Nodes that are to go are in the steps only.
  const others = plan.steps.filter((step) => step.node === undefined || !named.has(step.node));
  return [title, ...nodes, ...(others.length === 0 ? [] : ['', ...others.map((step) => stepLine(step, paint))])];
}

function nodeTitle(node: Plan['nodes'][number], paint: Paint): string {
  const about = [...(node.exists ? [] : ['new']), ...node.roles, ...(node.size === undefined ? [] : [node.size])];
  return `${paint('bold', node.name)} ${paint('dim', `(${about.join(', ')})`)}`;
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
