import { describe, expect, it } from 'vitest';
import { type ErofsInode, readErofs } from '../../../test/fakes/erofs-reader.ts';
import { BLOCK, erofsMetadata, type ImageEntry, SUPERBLOCK_AT } from './erofs.ts';

const folder = (path: string, mode = 0o755): ImageEntry => ({ path, kind: 'folder', mode, uid: 0, gid: 0 });
const root = folder('');
const owner = { uid: 33, gid: 65535 };

/** An image of the entries; the content of a file is its path. */
function imageOf(entries: readonly ImageEntry[]): Map<string, ErofsInode> {
  const contents: Buffer[] = [Buffer.alloc(BLOCK)];
  const placed = entries.map((entry) => {
    if (entry.kind !== 'file') return entry;
    const offset = contents.length * BLOCK;
    const content = Buffer.alloc(BLOCK);
    const size = content.write(entry.path);
    contents.push(content);
    return { ...entry, offset, size };
  });
  const at = contents.length * BLOCK;
  const { blocks, superblock } = erofsMetadata(placed, { at, builtAt: 1_700_000_000 });
  const image = Buffer.concat([...contents, blocks]);
  superblock.copy(image, SUPERBLOCK_AT);
  return readErofs(image);
}

const file = (path: string, mode = 0o644): ImageEntry => ({ path, kind: 'file', mode, size: 0, offset: 0, ...owner });

describe('an image', () => {
  it('has files, folders and links with owners and modes', () => {
    const link: ImageEntry = { path: 'app/link', kind: 'link', target: 'run/me', ...owner };
    const inodes = imageOf([root, folder('app'), folder('app/run', 0o750), file('app/run/me', 0o755), link]);
    expect([...inodes.keys()]).toEqual(['', 'app', 'app/link', 'app/run', 'app/run/me']);
    expect(inodes.get('app/run/me')).toMatchObject({ mode: 0o100755, ...owner, links: 1 });
    expect(inodes.get('app/run')).toMatchObject({ mode: 0o040750, links: 2 });
    expect(inodes.get('app')).toMatchObject({ mode: 0o040755, links: 3 });
    expect(inodes.get('app/link')).toMatchObject({ mode: 0o120777, ...owner });
    expect([inodes.get('app/run/me')?.content, inodes.get('app/link')?.content].map(String)).toEqual([
      'app/run/me',
      'run/me',
    ]);
  });

  it('has folders of any size, in the order of the bytes of their names', () => {
    const names = Array.from({ length: 900 }, (_, i) => `${'x'.repeat(i % 200)}${i}`);
    const odd = ['-', '...', 'a', 'B', 'é', '\u{1f600}', '\uffee', 'a b', '.hidden'];
    const inodes = imageOf([root, ...[...names, ...odd].map((name) => file(name))]);
    expect(inodes.size).toBe(1 + names.length + odd.length);
    for (const name of [...names, ...odd]) expect(String(inodes.get(name)?.content)).toBe(name);
  });

  it('is refused when something does not fit', () => {
    const make = (entries: ImageEntry[]) => () => erofsMetadata(entries, { at: BLOCK, builtAt: 0 });
    expect(make([root, file('app/x')])).toThrow('no folder for app/x');
    expect(make([folder('app')])).toThrow('no folder for app');
    expect(make([root, { ...file('x'), uid: 65536 }])).toThrow(RangeError);
    expect(make([root, { path: 'x', kind: 'file', mode: 0o644, size: 2 ** 32, offset: 0, ...owner }])).toThrow(
      'x is too large',
    );
  });
});
