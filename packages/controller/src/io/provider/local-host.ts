import { SlError } from '@silverlining/protocol';
import { installHostPackages, requireHostPackages } from '../host-packages.ts';

/** E_PROVIDER with the ways out unless this process may make containers. */
export function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new SlError(
    'E_PROVIDER',
    'local nodes are containers and need root: run sl as root (with sudo), or use machines that you have with provider = hosts',
  );
}

/** Makes sure that local nodes can run on this machine, before the first one is made. */
export async function prepareLocalHost({
  install,
  report,
  signal,
}: {
  install: boolean;
  report(text: string): void;
  signal: AbortSignal;
}): Promise<void> {
  requireRoot();
  if (install) await installHostPackages(report, signal);
  else await requireHostPackages();
}
