import type { Context, Report } from '../context.ts';
import { connect } from '../controller.ts';
import { deployStory, deploysLines } from '../render/deploys.ts';
import { setName } from '../server-set.ts';

/** Deploys of the set, newest first. */
export async function deploys(context: Context, options: { set?: string }): Promise<Report> {
  const set = setName(context, options.set);
  const client = await connect(context);
  const all = await client.deploys({ set });
  return { json: all, lines: deploysLines(all, context.paint) };
}

/** What is known of the deploys that the id names; without one, of the newest operation's. */
export async function showDeploy(context: Context, id: string | undefined, options: { set?: string }): Promise<Report> {
  const set = setName(context, options.set);
  const client = await connect(context);
  const named = id ?? (await client.deploys({ set })).deploys[0]?.id.split('.')[0];
  const found = await client.deploys({ set, id: named });
  const lines = found.deploys.flatMap((it, i) => [...(i === 0 ? [] : ['']), ...deployStory(it, context.paint)]);
  return { json: found, lines: lines.length === 0 ? deploysLines(found, context.paint) : lines };
}
