/** Signs the certificate of a node and puts its key into the node's row, before the agent can connect with it. */
import { SlError } from '@silverlining/protocol';
import type { Identity } from '../core/enrolment.ts';
import type { Store } from '../ports.ts';

/** What the CA does, as enrolment needs it. */
export interface Signer {
  readonly caPem: string;
  signCsr(csrPem: string, identity: Identity): Promise<{ certPem: string; keyHash: string }>;
}

export interface Enrolled {
  certPem: string;
  caPem: string;
  keyHash: string;
}

/** Earlier certificates of the node end with this: their generation is no longer the row's. */
export function enrol(store: Store, signer: Signer): (csrPem: string, identity: Identity) => Promise<Enrolled> {
  return async (csrPem, identity) => {
    const node = await store.node(identity.uuid);
    if (node === undefined) throw new SlError('E_IDENTITY', `node ${identity.uuid} is in no set`);
    const { certPem, keyHash } = await signer.signCsr(csrPem, identity);
    await store.putNode({ ...node, keyHash, certGeneration: identity.generation, state: 'enrolled' });
    return { certPem, caPem: signer.caPem, keyHash };
  };
}
