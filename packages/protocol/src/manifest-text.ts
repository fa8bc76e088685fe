/**
 * The text whose SHA-256 is a manifest's digest: one line a file or link, in path order, fields apart by NUL.
 * Both ends compute it; JSON's freedom in spacing and order never matters.
 */
import { SlError } from './errors.ts';
import { appName, DIGEST } from './names.ts';
import { MAX_PATH, type Manifest, type ManifestFile, type ManifestLink, RELEASE_PATH } from './release.ts';

const FIRST_LINE = 'silver-manifest 1\0';

export function manifestText(it: Manifest): string {
  const lines = [`${FIRST_LINE}${it.app}\n`];
  for (const file of it.files) lines.push(fileLine(file));
  for (const link of it.links) lines.push(linkLine(link));
  return lines.join('');
}

export function fileLine({ path, mode, size, sha256 }: ManifestFile): string {
  return `f\0${path}\0${mode.toString(8)}\0${size}\0${sha256}\n`;
}

export function linkLine({ path, target }: ManifestLink): string {
  return `l\0${path}\0${target}\n`;
}

/**
 * Back from its text, of which nothing but the form is looked at: whoever has no digest to check it against checks more. Of one manifest
 * there is one text. E_MANIFEST.
 */
export function parseManifestText(text: string): Manifest {
  const [first = '', ...lines] = text.split('\n');
  if (!isManifestText(first) || lines.pop() !== '') throw damaged(first);
  const manifest: Manifest = { version: 1, app: first.slice(FIRST_LINE.length), files: [], links: [] };
  for (const line of lines) {
    if (manifest.links.length === 0 && line.startsWith('f')) manifest.files.push(parseFileLine(line));
    else manifest.links.push(parseLinkLine(line));
  }
  return manifest;
}

/** Whether a text starts as that of a manifest does. */
export function isManifestText(text: string): boolean {
  return text.startsWith(FIRST_LINE);
}

/** Back from a text that somebody sent: as strict as the schema `manifest`. E_MANIFEST. */
export function readManifestText(text: string): Manifest {
  const it = parseManifestText(text);
  if (!appName.safeParse(it.app).success) throw damaged(it.app);
  for (const file of it.files) if (!isFile(file)) throw damaged(fileLine(file));
  for (const link of it.links) if (!isLink(link)) throw damaged(linkLine(link));
  return it;
}

function isFile({ path, size, sha256 }: ManifestFile): boolean {
  return isPath(path) && size >= 0 && DIGEST.test(sha256);
}

function isLink({ path, target }: ManifestLink): boolean {
  return isPath(path) && target !== '' && target.length <= MAX_PATH;
}

function isPath(path: string): boolean {
  return path.length <= MAX_PATH && RELEASE_PATH.test(path);
}

/** Of a line without its end. E_MANIFEST. */
export function parseFileLine(line: string): ManifestFile {
  const [kind, path, octal, digits, sha256, ...more] = line.split('\0');
  const size = Number(digits);
  const isFile = kind === 'f' && path !== undefined && sha256?.length === 64 && more.length === 0;
  // As `fileLine` writes them, and no other way.
  const hasNumbers = (octal === '644' || octal === '755') && Number.isSafeInteger(size) && digits === String(size);
  if (!isFile || !hasNumbers) throw damaged(line);
  return { path, mode: octal === '644' ? 0o644 : 0o755, size, sha256 };
}

function parseLinkLine(line: string): ManifestLink {
  const [kind, path, target, ...more] = line.split('\0');
  if (kind !== 'l' || path === undefined || target === undefined || more.length > 0) throw damaged(line);
  return { path, target };
}

function damaged(line: string): SlError {
  return new SlError('E_MANIFEST', `a line of a manifest is damaged: ${JSON.stringify(line.slice(0, 200))}`);
}
