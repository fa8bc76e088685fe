import { type Notification, notification } from '@silverlining/protocol';
import * as z from 'zod/mini';

/** Actions that are due at the end of a run, and the ids of the resources that asked for them. */
export const dueSchema = z.array(z.strictObject({ notification, by: z.array(z.string()) }));
export type Due = z.infer<typeof dueSchema>[number];

/** The due actions with those of one more changed resource; equal ones are kept once. */
export function addDue(due: readonly Due[], id: string, notify: readonly Notification[]): Due[] {
  const merged = due.map((it) => ({ ...it, by: [...it.by] }));
  for (const notification of notify) {
    const same = merged.find((it) => isSame(it.notification, notification));
    if (same === undefined) merged.push({ notification, by: [id] });
    else if (!same.by.includes(id)) same.by.push(id);
  }
  return merged;
}

/** What to do of them, in order: a unit that restarts need not reload too, and every check of it is kept. */
export function planActions(
  due: readonly Due[],
): { unit: string; action: 'reload' | 'restart'; checks: string[][]; by: string[] }[] {
  const actions = new Map<string, { unit: string; action: 'reload' | 'restart'; checks: string[][]; by: string[] }>();
  for (const { notification, by } of due) {
    const { unit, action, check } = notification;
    const it = actions.get(unit) ?? { unit, action, checks: [], by: [] };
    if (action === 'restart') it.action = 'restart';
    if (check !== undefined && !it.checks.some((known) => sameArgv(known, check))) it.checks.push(check);
    it.by.push(...by.filter((id) => !it.by.includes(id)));
    actions.set(unit, it);
  }
  return [...actions.values()];
}

/** A unit that this run started after the change has read it already; one that it ended must not be started by it. */
export function withoutUnit(due: readonly Due[], unit: string): Due[] {
  return due.filter((it) => it.notification.unit !== unit);
}

/** What stays due when a check of the unit fails: what was not put back is still there, and not loaded. */
export function notPutBack(due: readonly Due[], unit: string, putBack: ReadonlySet<string>): Due[] {
  const ofUnit = due.filter((it) => it.notification.unit === unit);
  const left = ofUnit.map((it) => ({ ...it, by: it.by.filter((id) => !putBack.has(id)) }));
  return left.filter((it) => it.by.length > 0);
}

function isSame(a: Notification, b: Notification): boolean {
  return a.unit === b.unit && a.action === b.action && sameArgv(a.check ?? [], b.check ?? []);
}

function sameArgv(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((word, i) => word === b[i]);
}
