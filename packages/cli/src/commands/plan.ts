import type { Context, Report } from '../context.ts';
import { connect } from '../controller.ts';
import { planLines } from '../render/plan.ts';
import { loadSet } from '../server-set.ts';

/** Shows what `sl up` would do. */
export async function plan(context: Context, options: { deep?: boolean }): Promise<Report> {
  const set = loadSet(context);
  const client = await connect(context);
  const planned = await client.plan({ set, deep: options.deep === true });
  const nodes = planned.nodes.map((node) => ({ ...node, size: node.size ?? null }));
  return { json: { ...planned, nodes }, lines: planLines(planned, context.paint) };
}
