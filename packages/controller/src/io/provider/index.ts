import { type ProviderConfig, SlError } from '@silverlining/protocol';
import type { Provider } from '../../ports.ts';
import { HostsProvider } from './hosts.ts';
import { LocalProvider } from './local.ts';
import type { LocalSite } from './local-site.ts';

export { HostsProvider } from './hosts.ts';
export { LocalProvider } from './local.ts';
export { LocalSite } from './local-site.ts';

export interface ProviderContext {
  localSite: LocalSite;
  /** Directory of the server set file: what relative paths in the options are relative to. */
  baseDirectory?: string | undefined;
}

type Factory = (options: Record<string, string>, context: ProviderContext) => Provider;

/** To add a provider: its file beside this one, its line here. */
const FACTORIES: Readonly<Record<string, Factory>> = {
  hosts: (options, context) => new HostsProvider(options, context.baseDirectory),
  local: (options, context) => new LocalProvider(context.localSite, options),
};

/** Names of the drivers there are, sorted. */
const PROVIDER_DRIVERS: readonly string[] = Object.keys(FACTORIES);

/** The provider of a resolved `[provider]` section; throws SlError E_PROVIDER for a driver that there is not. */
export function createProvider(config: ProviderConfig, context: ProviderContext): Provider {
  const factory = Object.hasOwn(FACTORIES, config.driver) ? FACTORIES[config.driver] : undefined;
  if (factory !== undefined) return factory(config.options, context);
  const known = PROVIDER_DRIVERS.join(', ');
  throw new SlError('E_PROVIDER', `there is no provider "${config.driver}"; there are ${known}`);
}
