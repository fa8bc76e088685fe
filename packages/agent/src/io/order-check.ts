/** Whether a request comes from the controller that this node was given the key of. TLS says who is at the other end; this, who ordered it. */
import { createHash, createPublicKey, type KeyObject, randomBytes, verify } from 'node:crypto';
import { type Envelope, orderBodyText, orderText, SlError, type Trust } from '@silverlining/protocol';
import { readFileIfAny } from '@silverlining/system';
import type { AgentPaths } from '../core/paths.ts';
import type { AgentConfig } from './identity.ts';

const CHALLENGE_BYTES = 24;

/** The orders of one session. */
export interface OrderCheck {
  /** For the hello. */
  readonly trust: Trust;
  /** Throws E_SIGNATURE that says why; then nothing of the request is done. */
  check(request: Envelope): void;
}

/** The checks of a session that begins now; undefined on a node that was given no key. E_STORE when it cannot be read. */
export async function beginOrders(paths: AgentPaths, config: AgentConfig): Promise<OrderCheck | undefined> {
  const pem = await readFileIfAny(paths.orderKey);
  return pem === undefined ? undefined : orderCheck(readKey(paths.orderKey, pem), config);
}

function readKey(path: string, pem: string): KeyObject {
  try {
    return createPublicKey(pem);
  } catch (cause) {
    throw new SlError('E_STORE', `${path} is damaged; sl up sets the node up again`, { cause });
  }
}

/** `config` says whom orders have to be for. */
export function orderCheck(key: KeyObject, { set, uuid }: Pick<AgentConfig, 'set' | 'uuid'>): OrderCheck {
  const id = sha256(key.export({ type: 'spki', format: 'der' }));
  const challenge = randomBytes(CHALLENGE_BYTES).toString('base64url');
  let newest = 0;
  const refuse = (type: string, why: string) =>
    new SlError('E_SIGNATURE', `${type} is refused, and nothing was done: ${why} (key ${id.slice(0, 12)})`);
  return {
    trust: { key: id, challenge },
    check({ type, body, order }) {
      if (order === undefined) throw refuse(type, 'the order is not signed');
      const { sequence, signature } = order;
      const digest = sha256(orderBodyText(body));
      const text = orderText({ set, node: uuid, challenge, sequence, type, digest });
      if (!verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64url'))) {
        throw refuse(type, 'it is not signed with the key that this node was given, or was signed for another session');
      }
      if (sequence <= newest)
        throw refuse(type, `it was given before (order ${sequence}, and the newest is ${newest})`);
      newest = sequence;
    },
  };
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
