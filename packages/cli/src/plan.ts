import { type Stats, statSync } from 'node:fs';
import type { ControllerClient, RequestInput } from '@silverlining/controller';
import type { Plan } from '@silverlining/protocol';

/**
 * What the controller says that `sl up` would do. It names the file that the set was made from before only where that is there still, as
 * another one: a project that was moved took its file along, and two of one name take each other's nodes.
 */
export async function planOf(client: Pick<ControllerClient, 'plan'>, request: RequestInput<'plan'>): Promise<Plan> {
  const { formerFile, ...plan } = await client.plan(request);
  return formerFile !== undefined && isAnother(formerFile, request.set.file) ? { ...plan, formerFile } : plan;
}

function isAnother(file: string, than: string): boolean {
  const [one, other] = [file, than].map(statOf);
  return one !== undefined && !(one.dev === other?.dev && one.ino === other.ino);
}

/** Of what cannot be looked at, nothing is said. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
