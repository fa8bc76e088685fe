/** Has apps check the configuration that they are about to be deployed with, before anything is made or sent. */
import type { ControllerDeps } from './deps.ts';
import { onEach } from './deps.ts';
import type { ObservedApp } from './observe.ts';

/** What is live already was checked when it was deployed. E_APP_CONFIG naming every app that refuses. */
export async function checkConfigs(
  deps: Pick<ControllerDeps, 'checkConfig'>,
  apps: readonly ObservedApp[],
  signal: AbortSignal,
): Promise<void> {
  const changed = apps.filter(({ active, scanned }) => active?.digest !== scanned.digest).map(({ app }) => app);
  await onEach(changed, (app) => deps.checkConfig(app, signal));
}
