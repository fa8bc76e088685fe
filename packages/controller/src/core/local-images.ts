/** Images that local nodes can be made of. */
import type { NodeImage } from '../records.ts';

const RELEASES = [
  { suite: 'bookworm', number: '12' },
  { suite: 'trixie', number: '13' },
] as const;

export const LOCAL_IMAGES: readonly NodeImage[] = RELEASES.map(({ suite, number }) => ({
  id: `debian:${suite}`,
  name: `Debian ${number} (${suite})`,
}));

/** The suite of `debian:bookworm`, `debian:12`, ...; undefined for an image that there is not. */
export function suiteOf(image: string): string | undefined {
  return RELEASES.find(({ suite, number }) => image === `debian:${suite}` || image === `debian:${number}`)?.suite;
}
