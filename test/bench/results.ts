/** What was measured, as it is kept between the parts of a run and written into the document. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileDurable } from '@silverlining/system';
import { z } from 'zod';

const measurement = z.object({
  seconds: z.number(),
  // Parts that were measured before there was this figure have none.
  onDisk: z
    .number()
    .nullish()
    .transform((it) => it ?? Number.NaN),
  sent: z.number(),
  received: z.number(),
  toolCpu: z.number(),
  nodeCpu: z.number(),
  toolMemory: z.number(),
  agentMemory: z.number(),
});

/** A tool's measurements by operation, one for each run. */
const toolResult = z.object({
  title: z.string(),
  /** How it was configured, the variant that was the quickest included. */
  how: z.string(),
  runs: z.record(z.string(), z.array(measurement)),
});
export type ToolResult = z.infer<typeof toolResult>;

const part = z.object({
  /** `small`, `medium`, `large` or `roles`. */
  name: z.string(),
  title: z.string(),
  /** Operations in their order, and what the table calls them. */
  operations: z.array(z.object({ name: z.string(), title: z.string() })),
  nodes: z.number(),
  runs: z.number(),
  date: z.string(),
  commit: z.string(),
  /** Load average of the machine when it began: what else it had to do. */
  load: z.number(),
  tools: z.array(toolResult),
});
export type Part = z.infer<typeof part>;

/** The part as it was measured last, if it was. */
export async function readPart(dir: string, name: string): Promise<Part | undefined> {
  const text = await readFile(join(dir, `${name}.json`), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : part.parse(JSON.parse(text));
}

export function writePart(dir: string, it: Part): Promise<void> {
  return writeFileDurable(join(dir, `${it.name}.json`), `${JSON.stringify(it, null, 2)}\n`);
}
