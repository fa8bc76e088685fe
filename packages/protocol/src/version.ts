import { SlError } from './errors.ts';

/** The product's version, as every package.json of the workspace says it (a test compares them). */
export const VERSION = '0.1.0';

/**
 * The protocol version this code speaks, and the oldest one it still understands: the one before. 2: an agent that was given
 * the controller's key takes signed orders only.
 */
export const PROTOCOL = { current: 2, oldest: 1 } as const;

/** The newest version that both ends speak; E_VERSION, naming what is supported, when there is none. */
export function negotiate(theirs: { protocol: number; minProtocol: number }): number {
  const common = Math.min(theirs.protocol, PROTOCOL.current);
  if (common >= PROTOCOL.oldest && common >= theirs.minProtocol) return common;
  throw new SlError(
    'E_VERSION',
    `the agent speaks protocol ${theirs.minProtocol} to ${theirs.protocol}, this controller ${PROTOCOL.oldest} to ${PROTOCOL.current}`,
    { details: { supported: [PROTOCOL.oldest, PROTOCOL.current] } },
  );
}
