/**
 * Makes one program of `sl` and of what it needs of its dependencies, which `npm ci` runs: a short command takes some 50 ms less than
 * from two hundred files. Plain JavaScript, since the Node that installs may be too old for anything else.
 */
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DIST = fileURLToPath(new URL('dist', import.meta.url));
const INPUTS = 'inputs.json';

/** Builds it in the folder `dist`. The file `inputs.json` there says what it was made of, as that was. */
export async function makeBundle(dist = DIST) {
  const { build } = await import('esbuild');
  rmSync(dist, { recursive: true, force: true });
  const { metafile } = await build({
    entryPoints: [join(ROOT, 'packages/cli/src/main.ts')],
    outdir: dist,
    absWorkingDir: ROOT,
    bundle: true,
    // What only some commands need is loaded by those.
    splitting: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    // Dependencies that are CommonJS ask for Node's modules in their own way.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    legalComments: 'none',
    metafile: true,
  });
  const inputs = Object.keys(metafile.inputs).map((path) => [path, versionOf(path)]);
  writeFileSync(join(dist, INPUTS), JSON.stringify(inputs));
}

/** The module to start, a URL: the bundle's, or the source's where that was changed since, or there is no bundle. */
export function mainModule(dist = DIST) {
  return isFresh(dist) ? pathToFileURL(join(dist, 'main.js')).href : new URL('src/main.ts', import.meta.url).href;
}

function isFresh(dist) {
  try {
    const inputs = JSON.parse(readFileSync(join(dist, INPUTS), 'utf8'));
    return inputs.every(([path, version]) => versionOf(path) === version);
  } catch {
    return false;
  }
}

function versionOf(path) {
  const { size, mtimeMs } = statSync(join(ROOT, path));
  return `${size} ${mtimeMs}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await makeBundle();
