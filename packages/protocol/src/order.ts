/** What of a request is signed by the controller, and what an agent makes of it. No cryptography here: the ends have that. */
import * as z from 'zod/mini';

/** Goes with a request to an agent that asked for it in its hello. */
export const orderSeal = z.object({
  /** Grows by one with every order of a session, so that none can be given twice. */
  sequence: z.int().check(z.positive()),
  /** Ed25519 over `orderText`, base64url. */
  signature: z.string().check(z.maxLength(128)),
});
export type OrderSeal = z.infer<typeof orderSeal>;

/** What an agent asks for in its hello: orders signed by this key, for this session. */
export const trust = z.object({
  /** SHA-256 (hex) of the public key (SubjectPublicKeyInfo DER) that the node was given when it was set up. */
  key: z.string(),
  /** Random, new with every session: an order that was signed for another one is of no use in it. */
  challenge: z.string().check(z.minLength(16), z.maxLength(128)),
});
export type Trust = z.infer<typeof trust>;

/** Whom an order is for, and the whole of what it says. */
export interface Order {
  set: string;
  /** UUID of the node. */
  node: string;
  challenge: string;
  sequence: number;
  type: string;
  /** SHA-256 (hex) of `orderBodyText` of its body. */
  digest: string;
}

/** JSON of what was parsed from JSON is the same text again, so both ends have it. */
export function orderBodyText(body: unknown): string {
  return JSON.stringify(body);
}

/**
 * The text that is signed. JSON of an array, so that no value can pass for another. What stands in it never changes: another
 * text begins with another word.
 */
export function orderText({ set, node, challenge, sequence, type, digest }: Order): string {
  return `silver-order 1\n${JSON.stringify([set, node, challenge, sequence, type, digest])}`;
}
