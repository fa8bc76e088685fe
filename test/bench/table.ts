/** Figures as Markdown. */
import type { Measurement } from './meter.ts';
import type { Part, ToolResult } from './results.ts';

/** Times side by side, and below them what they cost. */
export function partTables(part: Part): string[] {
  return [...timeTable(part), '', ...costTable(part)];
}

/** The middle one, or the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const [low, high] = [sorted[half - 1] ?? Number.NaN, sorted[half] ?? Number.NaN];
  return sorted.length % 2 === 1 ? high : (low + high) / 2;
}

/** The median of one figure over the runs. */
export function medianOf(tool: ToolResult, operation: string, field: keyof Measurement): number {
  return median((tool.runs[operation] ?? []).map((it) => it[field]));
}

function timeTable({ tools, operations }: Part): string[] {
  const [ours] = tools;
  const rows = operations.map(({ name, title }) => {
    const base = ours === undefined ? Number.NaN : medianOf(ours, name, 'seconds');
    const cells = tools.map((tool, i) => {
      const own = medianOf(tool, name, 'seconds');
      return i === 0
        ? `**${seconds(own)}**${spread(tool, name)}`
        : `${seconds(own)}${spread(tool, name)}, ${ratio(own, base)}`;
    });
    return [title, ...cells];
  });
  return table(['', ...tools.map(({ title }) => title)], rows);
}

function costTable({ tools, operations }: Part): string[] {
  const rows = operations.flatMap(({ name, title }) =>
    tools.map((tool) => {
      const figure = (field: keyof Measurement) => medianOf(tool, name, field);
      return [
        title,
        tool.title,
        Number.isNaN(figure('onDisk')) ? '' : seconds(figure('onDisk')),
        megabytes(figure('sent')),
        megabytes(figure('received')),
        seconds(figure('toolCpu')),
        seconds(figure('nodeCpu')),
        megabytes(figure('toolMemory')),
        figure('agentMemory') > 0 && tool === tools[0] ? megabytes(figure('agentMemory')) : '',
      ];
    }),
  );
  const heads = ['on disk', 'to nodes', 'from nodes', 'CPU tool', 'CPU nodes', 'memory tool', 'memory agent'];
  return table(['', '', ...heads], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '--:'))), ...rows.map(line)];
}

export function seconds(value: number): string {
  return `${value < 10 ? value.toFixed(2) : value.toFixed(1)} s`;
}

function spread(tool: ToolResult, operation: string): string {
  const all = (tool.runs[operation] ?? []).map((it) => it.seconds);
  return all.length < 2 ? '' : ` (${Math.min(...all).toFixed(1)}–${Math.max(...all).toFixed(1)})`;
}

export function ratio(own: number, base: number): string {
  const times = own / base;
  return `${times < 10 ? times.toFixed(1) : times.toFixed(0)}x`;
}

function megabytes(bytes: number): string {
  const value = bytes / 1e6;
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} MB`;
}
