import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { manifestText, readManifestText } from './manifest-text.ts';
import { type Manifest, manifest as schema } from './release.ts';

const MANIFEST: Manifest = {
  version: 1,
  app: 'blog',
  files: [
    { path: 'app/a b', mode: 0o644, size: 0, sha256: 'a'.repeat(64) },
    { path: 'config/é', mode: 0o755, size: 8_000_000_000, sha256: '0'.repeat(64) },
  ],
  links: [{ path: 'app/l', target: '../app/a b' }],
};
const TEXT = manifestText(MANIFEST);

function accepted(text: string): Manifest | undefined {
  try {
    return readManifestText(text);
  } catch {
    return undefined;
  }
}

describe('the text of a manifest', () => {
  it('is read back as what it was made of', () => {
    expect(readManifestText(TEXT)).toEqual(MANIFEST);
    const none: Manifest = { version: 1, app: 'blog', files: [], links: [] };
    expect(readManifestText(manifestText(none))).toEqual(none);
  });

  it.each([
    ['another kind of text', TEXT.replace('silver', 'gold')],
    ['another version', TEXT.replace('manifest 1', 'manifest 2')],
    ['a cut', TEXT.slice(0, -1)],
    ['a name that no app has', TEXT.replace('blog', '../blog')],
    ['a path outside', TEXT.replace('app/a b', '../etc/passwd')],
    ['a path that leads up', TEXT.replace('app/a b', 'app/../../etc')],
    ['a path that is too long', TEXT.replace('app/a b', `app/${'a'.repeat(1024)}`)],
    ['a control character in a path', TEXT.replace('a b', 'a\tb')],
    ['a path of a link outside', TEXT.replace('app/l', '/l')],
    ['a link that leads nowhere', TEXT.replace('../app/a b', '')],
    ['a setuid mode', TEXT.replace('\x344\0', '\x004755\0')],
    ['a mode of more digits', TEXT.replace('\x344\0', '\x000644\0')],
    ['a size of more digits', TEXT.replace('\x000\0', '\x0000\0')],
    ['a negative size', TEXT.replace('\x000\0', '\0-1\0')],
    ['a size that is none', TEXT.replace('\x000\0', '\x001e3\0')],
    ['a digest that is none', TEXT.replace('a'.repeat(64), 'g'.repeat(64))],
    ['a short digest', TEXT.replace('a'.repeat(64), 'a'.repeat(63))],
    ['one field more', TEXT.replace('0\n', '0\0more\n')],
    ['a link before a file', TEXT.replace('f\0app', 'l\0app/0\0a\nf\0app')],
    ['a line of another kind', TEXT.replace('l\0', 'x\0')],
    ['an empty line', TEXT.replace('l\0', '\nl\0')],
  ])('is refused with %s', (_what, text) => {
    expect(text).not.toBe(TEXT);
    expect(() => readManifestText(text)).toThrow(expect.objectContaining({ code: 'E_MANIFEST' }));
  });

  it('is one of each manifest, whatever was changed in it', () => {
    const changed = fc.tuple(
      fc.nat(TEXT.length),
      fc.nat(3),
      fc.string({ unit: fc.constantFrom(...TEXT), maxLength: 3 }),
    );
    fc.assert(
      fc.property(changed, ([at, removed, added]) => {
        const text = TEXT.slice(0, at) + added + TEXT.slice(at + removed);
        const it = accepted(text);
        fc.pre(it !== undefined);
        expect(it && manifestText(it)).toBe(text);
      }),
      { numRuns: 1000, maxSkipsPerRun: 1000 },
    );
  });

  it('is taken as the schema takes the manifest that it is of', () => {
    expect(schema.safeParse(readManifestText(TEXT)).data).toEqual(MANIFEST);
  });
});
