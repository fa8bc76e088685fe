/** Frames of the control socket: UTF-8 JSON envelopes, parsed at the edge and trusted after it. */
import * as z from 'zod/mini';
import { ERROR_CATALOGUE, type ErrorCode, SlError, type WireError } from './errors.ts';
import { orderSeal } from './order.ts';

/** Bytes of a control frame, as ws's maxPayload. */
export const MAX_CONTROL_FRAME = 1 << 20;
/** The controller's frames to an agent may hold the resources of a node or a small manifest. */
export const MAX_CONTROLLER_FRAME = 16 << 20;
/**
 * Bytes of a release that go in one frame of a bulk socket, but for the last: an agent reads it into one piece of memory, and decompresses
 * as much at once. With a quarter of it, ten agents on two cores spend a quarter more CPU time on a large release.
 */
export const BULK_FRAME = 1 << 20;
/** Of those that a frame has, in the message of its error; characters of them. */
const FAULTS = 5;
const FAULTS_LENGTH = 2000;

export const envelope = z.object({
  v: z.literal(1),
  /** Unique for the sender's session. */
  id: z.string().check(z.minLength(1), z.maxLength(64)),
  /** The request that this answers or reports on. */
  re: z.optional(z.string().check(z.maxLength(64))),
  /** A key of `agentRequests`, `agentNotices` or `controllerNotices`, `result`, or `error`. */
  type: z.string().check(z.maxLength(64)),
  body: z.unknown(),
  /** Of the controller's requests to an agent that asked for it. */
  order: z.optional(orderSeal),
});
export type Envelope = z.infer<typeof envelope>;

/** Serialises an envelope. */
export function encode(it: Envelope): string {
  return JSON.stringify(it);
}

/** The same where the body is JSON text already. */
export function encodeAround(text: string, rest: Omit<Envelope, 'body'>): string {
  return `${JSON.stringify(rest).slice(0, -1)},"body":${text}}`;
}

/** Parses a frame's text; E_FRAME when it is no envelope. The body is still unknown: the table's schema parses it. */
export function decode(text: string): Envelope {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new SlError('E_FRAME', 'frame is not JSON', { cause });
  }
  const parsed = envelope.safeParse(json);
  if (!parsed.success) throw new SlError('E_FRAME', `not an envelope: ${faults(parsed.error)}`);
  return parsed.data;
}

/** Parses a body by its schema; E_FRAME that names the type when it does not fit. */
export function parseBody<T extends z.ZodMiniType>(schema: T, it: Envelope): z.infer<T> {
  const parsed = schema.safeParse(it.body);
  if (!parsed.success) throw new SlError('E_FRAME', `${it.type}: ${faults(parsed.error)}`);
  return parsed.data;
}

/** What is wrong, for people and logs: the first of it, as a frame of a hostile end can have a hundred thousand faults. */
function faults({ issues }: z.core.$ZodError): string {
  const text = z.prettifyError({ issues: issues.slice(0, FAULTS) });
  const more = issues.length > FAULTS ? `\n... and ${issues.length - FAULTS} more` : '';
  return `${text.slice(0, FAULTS_LENGTH)}${more}`;
}

/** An entry of a literal table; own keys only, so that `constructor` and `__proto__` are unknown like any other. */
export function lookUp<T extends object>(table: T, key: string): T[keyof T] | undefined {
  return Object.hasOwn(table, key) ? table[key as keyof T] : undefined;
}

/** Levels of arrays and objects in a detail of an error. Ours have two; JSON that has thousands cannot be written any more. */
const DETAIL_DEPTH = 8;

const detail = z.catch(z.unknown().check(z.refine((it) => isShallow(it, DETAIL_DEPTH))), undefined);

function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((it) => isShallow(it, levels - 1));
}

export const wireError: z.ZodMiniType<WireError> = z.object({
  /** A newer end may know codes that this one does not. */
  code: z.catch(z.enum(Object.keys(ERROR_CATALOGUE) as [ErrorCode, ...ErrorCode[]]), 'E_INTERNAL'),
  message: z.string(),
  node: z.optional(z.string()),
  details: z.optional(z.record(z.string(), detail)),
});
