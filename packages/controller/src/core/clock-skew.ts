/** Whether a node's clock can be trusted. Certificates, logs and the times in records are only as right as it is. */

/** Milliseconds that a question may be under way, and that nobody notices. */
const TOLERATED = 10_000;
const UNITS: readonly (readonly [number, string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
];

/** What is wrong with a clock that says `theirs` when this one says `ours`, milliseconds since 1970; undefined when nothing is. */
export function clockComplaint(theirs: number, ours: number): string | undefined {
  const off = theirs - ours;
  if (Math.abs(off) <= TOLERATED) return undefined;
  // Rounded up into the larger unit: nearly an hour is an hour.
  const [size, unit] = UNITS.find(([it]) => Math.abs(off) >= it * 0.99) ?? [1, 'ms'];
  return `its clock is ${Math.round(Math.abs(off) / size)} ${unit} ${off > 0 ? 'ahead of' : 'behind'} this machine's`;
}
