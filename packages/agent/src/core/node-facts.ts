/** Reading what Linux says of itself. Pure text in, values out. */

/** `KEY="value"` lines of /etc/os-release. */
export function parseOsRelease(text: string): { id: string; version: string; name: string } {
  const values = new Map(
    text.split('\n').map((line) => {
      const at = line.indexOf('=');
      return [line.slice(0, at), line.slice(at + 1).replace(/^(["'])(.*)\1$/, '$2')];
    }),
  );
  return {
    id: values.get('ID') ?? 'linux',
    version: values.get('VERSION_ID') ?? '',
    name: values.get('PRETTY_NAME') ?? 'Linux',
  };
}

/** Bytes of memory from /proc/meminfo. Used is what new programs could not have: all but MemAvailable. */
export function parseMemory(text: string): { used: number; total: number } {
  const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
  const total = bytes('MemTotal');
  return { used: total - bytes('MemAvailable'), total };
}

/** The one minute average of /proc/loadavg. */
export function parseLoad(text: string): number {
  return Number(text.split(' ')[0]) || 0;
}
