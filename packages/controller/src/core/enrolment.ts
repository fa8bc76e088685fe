/** Who an agent is: the identity in its certificate, and whether that still is the node's. */

/** The one name in the controller's certificate, whatever address agents reach it at. */
export const SERVER_NAME = 'controller.silverlining.internal';

export interface Identity {
  set: string;
  uuid: string;
  /** Which enrolment of the node, from 1. */
  generation: number;
}

/** What of a client's certificate matters; times are milliseconds since 1970. */
export interface PresentedCertificate {
  /** Signed by our CA, with no other in between. */
  ours: boolean;
  /** Extended key usages, as OIDs. */
  usages: readonly string[];
  /** Subject alternative names as OpenSSL prints them. */
  names: string | undefined;
  /** SHA-256 (hex) of its public key. */
  keyHash: string;
  validFrom: number;
  validTo: number;
}

/** What of a node's row matters. */
export interface EnrolledNode {
  set: string;
  name: string;
  state: 'planned' | 'created' | 'enrolled';
  keyHash: string | undefined;
  certGeneration: number;
}

export type DenialReason =
  | 'no-certificate'
  | 'foreign'
  | 'usage'
  | 'name'
  | 'unknown-node'
  | 'not-enrolled'
  | 'generation'
  | 'key'
  | 'expired'
  | 'not-yet-valid';

export interface Denial {
  reason: DenialReason;
  /** For the agent's log: what is wrong and what helps. */
  message: string;
}

export const NO_CERTIFICATE: Denial = { reason: 'no-certificate', message: 'no client certificate was presented' };

/** For a row that is gone, or is another set's. */
export const UNKNOWN_NODE: Denial = {
  reason: 'unknown-node',
  message: 'the node was taken out of its set or replaced by another one',
};

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const IDENTITY = /^spiffe:\/\/([a-z][a-z0-9-]{0,39})\/node\/([0-9a-f-]{36})\/g\/([1-9]\d{0,8})$/;

/** The URI that stands in a node's certificate. */
export function identityUri({ set, uuid, generation }: Identity): string {
  return `spiffe://${set}/node/${uuid}/g/${generation}`;
}

/** The identity of such a URI; undefined for anything else. */
export function parseIdentityUri(uri: string): Identity | undefined {
  const match = IDENTITY.exec(uri);
  const [, set, uuid, generation] = match ?? [];
  if (set === undefined || uuid === undefined) return undefined;
  return { set, uuid, generation: Number(generation) };
}

/** What the certificate claims, once it is known that our CA signed it for a node; its row is checked by `checkNode`. */
export function readIdentity(presented: PresentedCertificate): Identity | Denial {
  if (!presented.ours) return denial('foreign', 'the certificate was not issued by this controller');
  if (presented.usages.length !== 1 || presented.usages[0] !== CLIENT_AUTH) {
    return denial('usage', 'the certificate is not one for a client');
  }
  const uri = presented.names?.startsWith('URI:') ? presented.names.slice(4) : '';
  return parseIdentityUri(uri) ?? denial('name', 'the certificate does not name a node');
}

/**
 * Whether the identity is the node's as its row says now; undefined when it is. `expired` and `not-yet-valid` are the
 * last to be looked at: with them everything else is in order, and the certificate may be renewed.
 */
export function checkNode(
  identity: Identity,
  presented: PresentedCertificate,
  node: EnrolledNode,
  now: number,
): Denial | undefined {
  if (node.set !== identity.set) return UNKNOWN_NODE;
  if (node.state !== 'enrolled' || node.keyHash === undefined) {
    return denial('not-enrolled', `${node.name} is not enrolled; sl up enrols it`);
  }
  if (node.certGeneration !== identity.generation) {
    const message = `${node.name} was set up again since, here or on another machine: generation ${node.certGeneration}, not ${identity.generation}`;
    return denial('generation', message);
  }
  if (node.keyHash !== presented.keyHash) return denial('key', `the key is not the one that ${node.name} enrolled`);
  return checkTime(presented, now);
}

/** Whether all that is wrong is the time, so that a renewal mends it. */
export function mayRenew(denial: Denial | undefined): boolean {
  return denial === undefined || denial.reason === 'expired' || denial.reason === 'not-yet-valid';
}

function checkTime({ validFrom, validTo }: PresentedCertificate, now: number): Denial | undefined {
  const clock = `the controller's clock says ${iso(now)}`;
  if (now > validTo) {
    return denial('expired', `the certificate expired at ${iso(validTo)}, ${clock}; renew it with POST /v1/renew`);
  }
  if (now < validFrom) {
    return denial(
      'not-yet-valid',
      `the certificate starts at ${iso(validFrom)}, ${clock}; renew it with POST /v1/renew`,
    );
  }
  return undefined;
}

function denial(reason: DenialReason, message: string): Denial {
  return { reason, message };
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
