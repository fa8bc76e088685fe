/** The rules of docs/ARCHITECTURE.md that a compiler does not see. Each failure names the file and what it may not do. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const MAX_LINES = 250;

interface Source {
  path: string;
  text: string;
  /** `packages/agent/src/core` -> package `agent`, layer `core`; files directly in `src` have the layer of their name. */
  package: string;
  layer: string;
  imports: string[];
}

const sources = ['protocol', 'system', 'controller', 'agent', 'cli'].flatMap(readPackage);
const production = sources.filter((it) => !it.path.endsWith('.test.ts'));

function readPackage(name: string): Source[] {
  const src = join(ROOT, 'packages', name, 'src');
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((it) => it.endsWith('.ts'));
  return files.map((file) => {
    const text = readFileSync(join(src, file), 'utf8');
    const layer = file.includes('/') ? (file.split('/')[0] ?? '') : file.replace(/\.ts$/, '');
    return { path: relative(ROOT, join(src, file)), text, package: name, layer, imports: importsOf(text) };
  });
}

function importsOf(text: string): string[] {
  const pattern = /^(?:import|export)\s[\w\s{},*$]*?(?:from\s+)?'([^'\n]+)';|\bimport\(\s*'([^'\n]+)'/gm;
  return [...text.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? '');
}

/** `protocol`, `node`, `npm:NAME`, or the layer that a relative import leads to. */
function target(source: Source, specifier: string): string {
  if (specifier.startsWith('node:')) return 'node';
  if (specifier.startsWith('@silverlining/')) return specifier.split('/')[1] ?? '';
  if (!specifier.startsWith('.')) return `npm:${specifier.replace(/^((?:@[^/]+\/)?[^/]+).*$/, '$1')}`;
  const path = relative(join(ROOT, 'packages', source.package, 'src'), resolve(ROOT, dirname(source.path), specifier));
  return path.includes('/') ? (path.split('/')[0] ?? '') : path.replace(/\.ts$/, '');
}

function violations(of: (it: Source) => boolean, allowed: (to: string, source: Source) => boolean): string[] {
  return production
    .filter(of)
    .flatMap((source) =>
      source.imports
        .filter((specifier) => !allowed(target(source, specifier), source))
        .map((specifier) => `${source.path} imports ${specifier}`),
    );
}

const inLayer = (layer: string) => (it: Source) => ['controller', 'agent'].includes(it.package) && it.layer === layer;

describe('imports', () => {
  it('protocol imports zod and itself', () => {
    const own = (to: string) => to === 'npm:zod' || !/^(?:npm:|node$|controller|agent)/.test(to);
    expect(violations((it) => it.package === 'protocol', own)).toEqual([]);
  });

  it('system imports protocol, node and itself', () => {
    const own = (to: string) => to === 'protocol' || !/^(?:npm:|controller|agent|cli)/.test(to);
    expect(violations((it) => it.package === 'system', own)).toEqual([]);
  });

  it('core imports core, protocol, zod and ini', () => {
    const allowed = new Set(['core', 'protocol', 'npm:zod', 'npm:ini']);
    const data = (to: string) => allowed.has(to) || to === 'records';
    expect(violations(inLayer('core'), data)).toEqual([]);
  });

  it('core takes only types from the ports', () => {
    const values = production
      .filter(inLayer('core'))
      .filter((it) =>
        /import \{[^}]*\} from '[^']*\/ports\.ts'/.test(it.text.replace(/import type \{[^}]*\} from '[^']*'/g, '')),
      );
    expect(values.map((it) => it.path)).toEqual([]);
  });

  it('what stays on nodes loads nothing of Node that has a smaller counterpart', () => {
    const resident = (it: Source) =>
      ['agent', 'system', 'protocol'].includes(it.package) && !it.path.endsWith('/enrol.ts');
    const wasteful = production.filter(resident).filter((it) => /'node:fs\/promises'|\bperformance\b\./.test(it.text));
    expect(wasteful.map((it) => it.path)).toEqual([]);
  });

  it('io never imports app', () => {
    expect(violations(inLayer('io'), (to) => to !== 'app' && to !== 'main')).toEqual([]);
  });

  it('app never imports io', () => {
    expect(violations(inLayer('app'), (to) => to !== 'io' && to !== 'main')).toEqual([]);
  });

  it('agent and controller never import each other, and nobody imports the command line', () => {
    expect(
      violations(
        (it) => it.package === 'agent',
        (to) => to !== 'controller' && to !== 'cli',
      ),
    ).toEqual([]);
    expect(
      violations(
        (it) => it.package === 'controller',
        (to) => to !== 'agent' && to !== 'cli',
      ),
    ).toEqual([]);
  });

  it('the command line reaches the controller through its index alone', () => {
    const deep = production.filter((it) => it.package === 'cli').flatMap((it) => it.imports.map((to) => [it.path, to]));
    expect(
      deep.filter(
        ([, to]) => /^@silverlining\/(?:controller|agent)\/./.test(to ?? '') || /controller\/src/.test(to ?? ''),
      ),
    ).toEqual([]);
  });
});

describe('core is pure', () => {
  const FORBIDDEN = [
    /\bDate\.now\b/,
    /\bnew Date\(\s*\)/,
    /\bMath\.random\b/,
    /\bprocess\./,
    /\bconsole\./,
    /\bsetTimeout\b/,
    /\bperformance\./,
    /\bcrypto\./,
    /\bfetch\(/,
    /\basync\b/,
    /\bPromise\b/,
  ];

  it.each(production.filter((it) => it.layer === 'core').map((it) => [it.path, it.text]))('%s', (_path, text) => {
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '').replace(/'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g, '""');
    expect(FORBIDDEN.filter((pattern) => pattern.test(code))).toEqual([]);
  });
});

describe('the tree', () => {
  it(`no file is longer than ${MAX_LINES} lines`, () => {
    const long = production.filter((it) => it.text.split('\n').length - 1 > MAX_LINES);
    expect(long.map((it) => `${it.path}: ${it.text.split('\n').length - 1}`)).toEqual([]);
  });

  it('what is shipped has no failpoints, and nothing else of the tests', () => {
    const ofTests = (source: Source) => source.imports.some((specifier) => /(?:^|\/)test\//.test(specifier));
    const bad = production.filter((it) => ofTests(it) || it.text.includes('SL_FAILPOINT'));
    expect(bad.map((it) => it.path)).toEqual([]);
  });

  it('nothing switches the compiler or the linter off', () => {
    const off = sources.filter((it) => /@ts-(?:ignore|expect-error|nocheck)|biome-ignore|\bas any\b/.test(it.text));
    expect(off.map((it) => it.path)).toEqual([]);
  });
});
