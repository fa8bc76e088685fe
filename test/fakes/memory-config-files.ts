import { type ConfigFiles, MAX_CONFIG_BYTES } from '../../packages/controller/src/core/config/index.ts';

/** Files of a server set in memory: absolute path to text; directories are those that the paths imply. */
export function memoryConfigFiles(texts: Readonly<Record<string, string>>): ConfigFiles {
  return {
    readFile(path) {
      if (Object.hasOwn(texts, path)) {
        const text = texts[path] ?? '';
        const tooLarge = new TextEncoder().encode(text).length > MAX_CONFIG_BYTES;
        return tooLarge ? { kind: 'unusable', why: 'too large: more than 1 MB' } : { kind: 'text', text };
      }
      return isDirectory(texts, path) ? { kind: 'unusable', why: 'is not a regular file' } : { kind: 'missing' };
    },
    kindOf(path) {
      if (Object.hasOwn(texts, path)) return 'file';
      return isDirectory(texts, path) ? 'directory' : undefined;
    },
  };
}

function isDirectory(texts: Readonly<Record<string, string>>, path: string): boolean {
  return Object.keys(texts).some((it) => it.startsWith(`${path}/`));
}
