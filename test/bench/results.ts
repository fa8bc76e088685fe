/** What was measured. */
import type { Measurement } from './meter.ts';

/** A tool's measurements by operation, one for each run. */
export interface ToolResult {
  title: string;
  /** How it was configured, the variant that was the quickest included. */
  how: string;
  runs: Record<string, Measurement[]>;
}

export interface Part {
  /** `small`, `medium`, `large` or `roles`. */
  name: string;
  title: string;
  /** Operations in their order, and what the table calls them. */
  operations: readonly { name: string; title: string }[];
  nodes: number;
  runs: number;
  date: string;
  commit: string;
  /** Of the machine: its cores and memory. */
  machine: string;
  /** Load average of the machine when it began: what else it had to do. */
  load: number;
  tools: ToolResult[];
}
