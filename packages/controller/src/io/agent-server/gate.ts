import type { KeyObject } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import {
  checkNode,
  type Denial,
  type Identity,
  mayRenew,
  NO_CERTIFICATE,
  readIdentity,
  UNKNOWN_NODE,
} from '../../core/enrolment.ts';
import type { Clock, NodeRecord, Store } from '../../ports.ts';
import type { Certificates } from '../certificates.ts';

export interface Guest {
  node: NodeRecord;
  identity: Identity;
  publicKey: KeyObject;
}

/** Lets in who may come in, and says why to everybody else. */
export type Gate = (socket: Duplex, purpose: 'connect' | 'renew') => Promise<Guest | Denial>;

/**
 * The one place where connections get an identity, for requests and upgrades alike. TLS itself lets everybody
 * through: an agent whose certificate it refused would see a closed connection and never learn why.
 */
export function createGate(deps: { store: Store; certificates: Certificates; clock: Clock }): Gate {
  const { store, certificates, clock } = deps;
  return async (socket, purpose) => {
    const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
    if (certificate === undefined) return NO_CERTIFICATE;
    const presented = certificates.inspect(certificate);
    const identity = readIdentity(presented);
    if ('reason' in identity) return identity;
    // Nothing is awaited after the row is read: whoever revokes the node later finds the socket to end.
    const node = await store.node(identity.uuid);
    if (node === undefined) return UNKNOWN_NODE;
    const denial = checkNode(identity, presented, node, clock.now());
    if (denial === undefined || (purpose === 'renew' && mayRenew(denial))) {
      return { node, identity, publicKey: certificate.publicKey };
    }
    return denial;
  };
}
