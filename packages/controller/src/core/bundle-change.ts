/** A bundle of the agent, as hello and the controller name it. */
export interface BundleName {
  version: string;
  /** SHA-256, hex. */
  digest: string;
}

/** From which to which, for people; undefined when both are the same. Bundles of one version are told apart by their digests. */
export function bundleChange(from: BundleName, to: BundleName): string | undefined {
  if (from.digest === to.digest) return undefined;
  if (from.version !== to.version) return `${from.version} -> ${to.version}`;
  const short = ({ version, digest }: BundleName) => `${version} (${digest.slice(0, 8)})`;
  return `${short(from)} -> ${short(to)}`;
}
