import type { ResolvedOption } from '@silverlining/controller';
import type { ServerSet } from '@silverlining/protocol';
import type { Context, Report } from '../context.ts';
import { problemLine } from '../render/error.ts';
import type { Paint } from '../render/paint.ts';
import { clean, count, table } from '../render/text.ts';
import { configError, readSet } from '../server-set.ts';

/** Reads the file and says what is wrong with it, or what it describes. No controller is needed. */
export async function check(context: Context, options: { resolved?: boolean }): Promise<Report> {
  const { set, problems, resolved, file } = readSet(context);
  const nodes = (set?.nodes ?? []).map(({ name, roles, size }) => ({ name, roles, size: size ?? null }));
  const origins = options.resolved ? resolved : [];
  return {
    json: { set: set?.name ?? null, problems, nodes, ...(options.resolved ? { resolved } : {}) },
    lines: [
      ...origins.map((it) => originLine(it, context.paint)),
      ...(set === undefined ? [] : [...problems.map((it) => problemLine(it, context.paint)), ...summary(set)]),
    ],
    error: set === undefined ? configError(file, problems) : undefined,
  };
}

function originLine({ section, key, value, origin, file, line }: ResolvedOption, paint: Paint): string {
  const place = origin === 'file' ? `${file}:${line}` : 'default';
  const shown = clean(`${key} = ${value.replaceAll('\n', ' | ')}`);
  return `${paint('dim', clean(`[${section}]`))} ${shown}  ${paint('dim', clean(place))}`;
}

function summary(set: ServerSet): string[] {
  const parts = [
    count(set.nodes.length, 'node'),
    count(set.apps.length, 'app'),
    count(set.locations.length, 'location'),
  ];
  const rows = set.nodes.map((node) => [node.name, node.roles.join(' '), node.size ?? '']);
  return [`${set.name}: ${parts.join(', ')} on ${set.provider.driver}`, ...table(rows).map((row) => `  ${row}`)];
}
