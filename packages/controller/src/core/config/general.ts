/** `[general]` and `[controller]`. */
import { type ServerSet, setName } from '@silverlining/protocol';
import { isControllerUrl, parseListen } from '../controller-address.ts';
import { nodeNameProblem } from './node-group.ts';
import { baseName, directoryOf } from './paths.ts';
import { type Problems, quote } from './problem.ts';
import type { SectionValues } from './values.ts';

/** Name, base domain and hosts policy. Without a name the set is called after the directory of its file. */
export function resolveGeneral(
  values: SectionValues | undefined,
  file: string,
  problems: Problems,
): Pick<ServerSet, 'name' | 'baseDomain' | 'setEtcHosts'> {
  const fallback = setNameOf(directoryOf(file));
  const name = values?.line('name') ?? fallback;
  const parsed = setName.safeParse(name);
  if (!parsed.success && values !== undefined)
    problems.error(values.place('name'), `invalid set name ${quote(name)}: ${parsed.error.issues[0]?.message ?? ''}`);
  const safeName = parsed.success ? name : fallback;
  const baseDomain = readBaseDomain(values, problems) ?? `${safeName}.internal`;
  return { name: safeName, baseDomain, setEtcHosts: values?.flag('set_etc_hosts') ?? true };
}

/** What `name` and `base_domain` are where they are not given; what is in braces is filled in. */
export function generalDefaults(file: string): ReadonlyMap<string, string> {
  return new Map([
    ['name', setNameOf(directoryOf(file))],
    ['base_domain', '{{general.name}}.internal'],
  ]);
}

/** The last part of a directory as a set name: what may not stand in one becomes a hyphen. */
function setNameOf(directory: string): string {
  const plain = (text: string) => text.replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '');
  const name = plain(baseName(directory).toLowerCase());
  return plain((/^[a-z]/.test(name) ? name : `set-${name}`).slice(0, 40));
}

/** `[controller]`. */
export function resolveController(values: SectionValues | undefined, problems: Problems): ServerSet['controller'] {
  if (values === undefined) return {};
  const url = values.line('url');
  if (url !== undefined && !isControllerUrl(url))
    problems.error(values.place('url'), `url must look like wss://HOST:PORT, not ${quote(url)}`);
  const listen = values.line('listen');
  if (listen !== undefined && parseListen(listen) === undefined)
    problems.error(values.place('listen'), `listen must look like HOST:PORT, :PORT or PORT, not ${quote(listen)}`);
  return { url, listen };
}

function readBaseDomain(values: SectionValues | undefined, problems: Problems): string | undefined {
  const text = values?.line('base_domain')?.toLowerCase();
  if (text === undefined || values === undefined) return undefined;
  if (nodeNameProblem(text) === undefined) return text;
  problems.error(values.place('base_domain'), `invalid base_domain ${quote(text)}: a domain such as example.com`);
  return undefined;
}
