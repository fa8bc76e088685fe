/** The units that bring mounts of releases back at boot. */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { mountUnitName, mountUnitText, type ReleaseMount } from '../../core/release/layer.ts';
import { namesIn } from './names-in.ts';

export function writeMountUnit(units: string, mount: ReleaseMount): void {
  const name = mountUnitName(mount.path);
  const wants = `${units}/multi-user.target.wants`;
  mkdirSync(wants, { recursive: true });
  writeFileSync(`${units}/${name}`, mountUnitText(mount), { mode: 0o644 });
  rmSync(`${wants}/${name}`, { force: true });
  symlinkSync(`../${name}`, `${wants}/${name}`);
}

export function removeMountUnit(units: string, path: string): void {
  const name = mountUnitName(path);
  rmSync(`${units}/multi-user.target.wants/${name}`, { force: true });
  rmSync(`${units}/${name}`, { force: true });
}

/** Removes units of mounts below the releases' folder that belong to none of the instances, and the links to them. */
export function sweepMountUnits(
  { units, releases }: { units: string; releases: string },
  instances: ReadonlySet<string>,
): void {
  const prefix = mountUnitName(`${releases}/`).replace(/\.mount$/, '');
  const wanted = new Set([...instances].map((name) => mountUnitName(`${releases}/${name}`)));
  for (const folder of [`${units}/multi-user.target.wants`, units]) {
    const ours = namesIn(folder).filter((name) => name.startsWith(prefix) && name.endsWith('.mount'));
    for (const name of ours) if (!wanted.has(name)) rmSync(`${folder}/${name}`, { force: true });
  }
}
