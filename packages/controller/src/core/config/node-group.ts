/** The nodes that one section asks for: how many, called what, of which size. */
import { nodeName, type Role, type SizeWish } from '@silverlining/protocol';
import { lineAt, type Place, type Problems, quote } from './problem.ts';
import { NODE_KEYS } from './schema.ts';
import { parseSize } from './size.ts';
import type { SectionValues } from './values.ts';

export interface NamedNode extends Place {
  /** Full name. */
  name: string;
}

export interface NodeGroup {
  role: Role;
  nodes: NamedNode[];
  size?: Place & { text: string; wish: SizeWish };
}

export interface GroupRequest {
  role: Role;
  /** Name without a domain when none are given; `numbered` says whether the first node has a number too. */
  defaultName: string;
  numbered: boolean;
  baseDomain: string;
  problems: Problems;
}

/** Reads `nodes`, `node_names` (or `node_name`) and `size` of a section. */
export function readGroup(values: SectionValues, request: GroupRequest): NodeGroup {
  const key = namesKey(values, request.problems);
  const listed = key === undefined ? [] : names(values, key, 1);
  const count = nodeCount(values, key, listed.length, request.problems);
  const nodes =
    key === undefined
      ? defaultNames(values, count, request)
      : Array.from({ length: count }, (_, i) => nthName(names(values, key, i + 1), i));
  const valid = nodes.flatMap((it) => (it === undefined ? [] : (validName(it, request) ?? [])));
  reportTwins(values, valid, request.problems);
  const size = readSize(values, request.problems);
  return { role: request.role, nodes: valid, ...(size === undefined ? {} : { size }) };
}

/** A name without dots stands below the base domain. Host names do not differ by case. */
export function fullName(name: string, baseDomain: string): string {
  const lower = name.toLowerCase();
  return lower.includes('.') ? lower : `${lower}.${baseDomain}`;
}

/** What is wrong with the name of a node, if anything. */
export function nodeNameProblem(name: string): string | undefined {
  const parsed = nodeName.safeParse(name);
  if (parsed.success) return undefined;
  return `invalid node name ${quote(name)}: ${parsed.error.issues[0]?.message ?? ''}`;
}

function namesKey(values: SectionValues, problems: Problems): 'node_names' | 'node_name' | undefined {
  const plural = values.has('node_names');
  if (!values.has('node_name')) return plural ? 'node_names' : undefined;
  if (!plural) return 'node_name';
  const [one, many] = [values.place('node_name'), values.place('node_names')];
  const [last, first] = one.line > many.line ? [one, many] : [many, one];
  problems.warning(
    last,
    `node_name and node_names are both given, on lines ${first.line} and ${last.line}; the last one stands`,
  );
  return last === one ? 'node_name' : 'node_names';
}

function names(values: SectionValues, key: string, n: number): NamedNode[] {
  const { file } = values.place(key);
  return values.lines(key, n).flatMap(({ text, line }) =>
    text
      .split(/[\s,]+/)
      .filter((name) => name !== '')
      .map((name) => ({ name, file, line })),
  );
}

function nodeCount(values: SectionValues, key: string | undefined, listed: number, problems: Problems): number {
  const given = values.integer('nodes') ?? 1;
  if (key === undefined || listed <= 1) return given;
  const most = NODE_KEYS.nodes?.max ?? 1;
  if (listed > most) {
    problems.error(values.place(key), `${key} lists ${listed} names; a section has ${most} nodes at most`);
    return 0;
  }
  if (values.has('nodes') && given !== listed) {
    const list = values.place(key);
    const count = lineAt(values.place('nodes'), list);
    problems.error(list, `${key} lists ${listed} names (line ${list.line}) for ${given} nodes (nodes, ${count})`);
  }
  return listed;
}

/** The n-th of a list, or the one name that there is, filled in for n. */
function nthName(list: NamedNode[], index: number): NamedNode | undefined {
  return list.length > 1 ? list[index] : list[0];
}

function defaultNames(values: SectionValues, count: number, { defaultName, numbered }: GroupRequest): NamedNode[] {
  const place = values.place('nodes');
  // The first is called the same however many there are: a second one must not make another node of it.
  const nth = (i: number) => (i === 0 && !numbered ? defaultName : `${defaultName}${i + 1}`);
  return Array.from({ length: count }, (_, i) => ({ name: nth(i), ...place }));
}

function validName(node: NamedNode, { baseDomain, problems }: GroupRequest): NamedNode | undefined {
  const name = fullName(node.name, baseDomain);
  const wrong = nodeNameProblem(name);
  if (wrong === undefined) return { ...node, name };
  problems.error(node, wrong);
  return undefined;
}

function reportTwins(values: SectionValues, nodes: NamedNode[], problems: Problems): void {
  const seen = new Map<string, NamedNode>();
  for (const node of nodes) {
    const twin = seen.get(node.name);
    if (twin === undefined) {
      seen.set(node.name, node);
      continue;
    }
    const [a, b] = twin.line === node.line ? [values.place('nodes').line, node.line] : [twin.line, node.line];
    problems.error(
      node,
      `two nodes of [${values.section.name}] are called ${node.name}, by lines ${a} and ${b}; put {{n}} in the name`,
    );
    return;
  }
}

function readSize(values: SectionValues, problems: Problems): NodeGroup['size'] {
  const text = values.line('size');
  if (text === undefined) return undefined;
  const parsed = parseSize(text);
  if ('wish' in parsed) return { text, wish: parsed.wish, ...values.place('size') };
  problems.error(values.place('size'), parsed.problem);
  return undefined;
}
