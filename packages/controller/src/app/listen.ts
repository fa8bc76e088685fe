/** Serves agents where the sets ask for it with `[controller] listen`, beside the controller's own port. */
import type { ServerSet } from '@silverlining/protocol';
import { type ListenAddress, parseListen } from '../core/controller-address.ts';
import type { ControllerDeps } from './deps.ts';

/** E_CONTROLLER when the address or port cannot be had. */
export async function listenFor(deps: Pick<ControllerDeps, 'listen'>, set: ServerSet): Promise<void> {
  const { listen } = set.controller;
  const address = listen === undefined ? undefined : parseListen(listen);
  if (address !== undefined) await deps.listen(address);
}

/** At start, for all sets. One address that is gone (a VPN that is down) must not keep the others' agents away. */
export async function listenForAll(deps: Pick<ControllerDeps, 'listen' | 'store' | 'log'>): Promise<void> {
  for (const { name, config } of await deps.store.sets()) {
    await listenFor(deps, config).catch((error: unknown) => {
      deps.log.warn({ set: name, error: String(error) }, 'agents of the set cannot connect; sl up tries it again');
    });
  }
}

/** Opens each address once, however many ask. `port` is the controller's own, which is open on every address of the machine. */
export function listenOnce(
  listen: (address: ListenAddress) => Promise<unknown>,
  port: () => number,
): ControllerDeps['listen'] {
  const open = new Map<string, Promise<unknown>>();
  return async (address) => {
    if (address.port === port()) return;
    const everywhere = `*:${address.port}`;
    const key = address.host === undefined ? everywhere : `${address.host}:${address.port}`;
    const opening = open.get(everywhere) ?? open.get(key) ?? listen(address);
    open.set(key, opening);
    await opening.catch((error: unknown) => {
      open.delete(key);
      throw error;
    });
  };
}
