/** Two projects whose sets have one name: each takes the other's nodes and apps for its own. */
import type { ServerSet } from '@silverlining/protocol';
import type { SetRecord } from '../ports.ts';
import type { OperationContext } from '../service.ts';
import type { ControllerDeps } from './deps.ts';

/** The file that the set was made from before, where that is there still, as another one: a project that was moved took its file along. */
export async function formerFile(
  { isAnotherFile }: Pick<ControllerDeps, 'isAnotherFile'>,
  { file }: Pick<ServerSet, 'file'>,
  record: Pick<SetRecord, 'config'> | undefined,
): Promise<string | undefined> {
  const former = record?.config.file;
  if (former === undefined || former === file) return undefined;
  return (await isAnotherFile(former, file)) ? former : undefined;
}

export async function tellOfFormerFile(
  deps: Pick<ControllerDeps, 'isAnotherFile'>,
  op: OperationContext,
  set: ServerSet,
  record: Pick<SetRecord, 'config'>,
): Promise<void> {
  const former = await formerFile(deps, set, record);
  if (former === undefined) return;
  const text = `${set.name} was brought up from ${former} before, and gets the apps of ${set.file}; if that is another project, give one of them a name of its own (name in [general])`;
  op.emit({ status: 'warning', action: 'deploy', text });
}
