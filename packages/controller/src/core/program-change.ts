/** What an agent consists of, as hello and the controller name it. */
export interface ProgramName {
  version: string;
  /** SHA-256 of the bundle, hex. */
  bundle: string;
  /** Version of Node. Undefined, as the unit is, where the agent does not say: then it can replace nothing but its bundle. */
  runtime: string | undefined;
  /** SHA-256 of the unit file, hex. */
  unit: string | undefined;
}

/** From which to which, for people; undefined when both are the same. Bundles of one version are told apart by their digests. */
export function programChange(from: ProgramName, to: ProgramName): string | undefined {
  const changes = [bundleChange(from, to)];
  if (differs(from.runtime, to.runtime)) changes.push(`Node ${from.runtime} -> ${to.runtime}`);
  if (differs(from.unit, to.unit)) changes.push('unit file');
  const text = changes.filter((it) => it !== undefined).join(', ');
  return text === '' ? undefined : text;
}

/** Whether an agent that has `from` is to be given `to`. */
export function differs(from: string | undefined, to: string | undefined): boolean {
  return from !== undefined && from !== to;
}

function bundleChange(from: ProgramName, to: ProgramName): string | undefined {
  if (from.bundle === to.bundle) return undefined;
  if (from.version !== to.version) return `${from.version} -> ${to.version}`;
  const short = ({ version, bundle }: ProgramName) => `${version} (${bundle.slice(0, 8)})`;
  return `${short(from)} -> ${short(to)}`;
}
