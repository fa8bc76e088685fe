/** Journals of instances, as an agent keeps them. */
import type { InstanceJournal } from '../../packages/agent/src/core/release/journal.ts';

/** Of a static release; the app is what its name begins with. */
export function instanceJournal(instance: string, state: InstanceJournal['state']): InstanceJournal {
  const app = instance.split('.')[0] ?? '';
  const health = { path: '/', host: 'example.com', timeout: 10 };
  const spec = { app, instance, platform: 'static' as const, processes: 0, env: {}, packages: [], health };
  return { ...{ version: 1, instance, spec, digest: 'd', deploy: 'd1', epoch: 1, port: 0 }, state, hooks: {} };
}
