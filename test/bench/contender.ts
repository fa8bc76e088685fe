/** What each tool has to offer to be measured. */
import type { AppShape } from './apps.ts';

export const OPERATIONS = ['full', 'nothing', 'change', 'rollback'] as const;
export type Operation = (typeof OPERATIONS)[number];

export interface Command {
  argv: readonly string[];
  cwd?: string;
  env?: Readonly<Record<string, string>>;
}

/** What is to be deployed. */
export interface Site {
  shape: AppShape;
  /** Folder of the files. */
  dir: string;
}

/**
 * A tool, configured as its own documents recommend for speed. The four commands are what its user would type; `full`,
 * `nothing` and `change` may be the same one.
 */
export interface Contender extends Record<Operation, Command> {
  /** Names its control group, files and folder on the nodes. */
  name: string;
  title: string;
  /** Ways to run it, the one that is usually the quickest first; the warm-up may try them all. */
  variants: readonly string[];
  use(variant: string): void;
  /** How it is configured and run, in a sentence or two, for whoever reads the figures. */
  how: string;
  /** Host name at which the nodes serve what it deployed. */
  host: string;
  /** Shell text that changes into the folder on a node that is live. */
  enter: string;
  /** Milliseconds after the command until the work that it leaves for later has begun. */
  later(operation: Operation): number;
  /** Before the first operation. */
  begin(): Promise<void>;
  /** What its user has done before the command, such as a commit. Not measured. */
  before(operation: Operation): Promise<void>;
  /** Removes what it deployed, where the disk has to hold the next releases. Not measured. */
  tidy(): Promise<void>;
}
