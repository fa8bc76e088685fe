/**
 * Names of the packages that are installed, what they provide included, from the text of /var/lib/dpkg/status.
 * A package that is unpacked or half configured is not installed: apt has to finish it.
 */
export function installedPackages(status: string): Set<string> {
  const installed = new Set<string>();
  for (const stanza of status.split('\n\n')) {
    if (!stanza.includes('\nStatus: install ok installed') && !stanza.includes('\nStatus: hold ok installed')) continue;
    const name = field(stanza, 'Package');
    if (name === undefined) continue;
    installed.add(name);
    for (const provided of field(stanza, 'Provides')?.split(',') ?? []) {
      const [alias] = provided.trim().split(/[ (]/);
      if (alias) installed.add(alias);
    }
  }
  return installed;
}

/** True when an earlier dpkg was interrupted: packages are left unpacked, half installed or half configured. */
export function isInterrupted(status: string): boolean {
  return /^Status: \S+ \S+ (?:half-installed|unpacked|half-configured|triggers-awaited|triggers-pending)$/m.test(
    status,
  );
}

function field(stanza: string, name: string): string | undefined {
  return new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1];
}
