/** The units that bring mounts of releases back at boot. */
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { mountUnitName, mountUnitText, type ReleaseMount } from '../../core/release/layer.ts';
import { namesIn } from './names-in.ts';

export async function writeMountUnit(units: string, mount: ReleaseMount): Promise<void> {
  const name = mountUnitName(mount.path);
  const wants = `${units}/multi-user.target.wants`;
  await mkdir(wants, { recursive: true });
  await writeFile(`${units}/${name}`, mountUnitText(mount), { mode: 0o644 });
  await rm(`${wants}/${name}`, { force: true });
  await symlink(`../${name}`, `${wants}/${name}`);
}

export async function removeMountUnit(units: string, path: string): Promise<void> {
  const name = mountUnitName(path);
  await rm(`${units}/multi-user.target.wants/${name}`, { force: true });
  await rm(`${units}/${name}`, { force: true });
}

/** Removes units of mounts below the releases' folder that belong to none of the instances, and the links to them. */
export async function sweepMountUnits(
  { units, releases }: { units: string; releases: string },
  instances: ReadonlySet<string>,
): Promise<void> {
  const prefix = mountUnitName(`${releases}/`).replace(/\.mount$/, '');
  const wanted = new Set([...instances].map((name) => mountUnitName(`${releases}/${name}`)));
  for (const folder of [`${units}/multi-user.target.wants`, units]) {
    const ours = (await namesIn(folder)).filter((name) => name.startsWith(prefix) && name.endsWith('.mount'));
    for (const name of ours) if (!wanted.has(name)) await rm(`${folder}/${name}`, { force: true });
  }
}
