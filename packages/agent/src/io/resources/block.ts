import type { ResourceOf } from '@silverlining/protocol';
import { readFileIfAny, realpath, writeFileDurable } from '@silverlining/system';
import { replaceBlock, sourcesOf } from '../../core/converge/block.ts';
import { describeTextChange } from '../../core/converge/text-change.ts';
import type { Executor } from '../../ports.ts';
import { lookAt } from './attributes.ts';
import type { Observations } from './observations.ts';
import { replace } from './undo.ts';

export function blockExecutor(node: Observations): Executor<'block'> {
  return {
    async check(wanted) {
      const [first] = await outdated(node.root, wanted);
      return first && describeTextChange(first.current, first.next);
    },
    async apply(wanted) {
      const undos = await writeBlock(node.root, wanted);
      const undo = async () => {
        for (const it of undos.reverse()) await it();
      };
      return undos.length === 0 ? {} : { undo };
    },
  };
}

type Block = Pick<ResourceOf<'block'>, 'path' | 'name' | 'content'>;

/** Makes the block what it should be wherever it has to be, and returns what puts back what was there, each for a file that changed. */
export async function writeBlock(root: string, block: Block): Promise<(() => Promise<void>)[]> {
  const undos: (() => Promise<void>)[] = [];
  for (const it of await outdated(root, block)) undos.push(await write(it));
  return undos;
}

interface Outdated {
  path: string;
  current: string;
  next: string;
}

/** Files that do not have the block as it should be. */
async function outdated(root: string, { path, name, content }: Block): Promise<Outdated[]> {
  const found: Outdated[] = [];
  for (const it of [path, ...sourcesOf(path)]) {
    const text = await readFileIfAny(root + it);
    if (text === undefined && it !== path) continue;
    const current = text ?? '';
    const next = replaceBlock(current, name, content);
    if (current !== next) found.push({ path: root + it, current, next });
  }
  return found;
}

async function write({ path: named, next }: Outdated): Promise<() => Promise<void>> {
  // A link to somewhere else stays one: what it points at is replaced.
  const path = await realpath(named).catch(() => named);
  const found = lookAt(path);
  const owner = found === undefined ? undefined : { uid: found.uid, gid: found.gid };
  const mode = found === undefined ? 0o644 : found.mode & 0o7777;
  return replace(path, () => writeFileDurable(path, next, mode, owner));
}
