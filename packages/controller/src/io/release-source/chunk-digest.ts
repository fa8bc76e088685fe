import { hash } from 'node:crypto';
import { CHUNK_DIGEST } from '@silverlining/protocol';

/** The digest of a chunk's bytes. */
export function chunkDigestOf(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex').slice(0, CHUNK_DIGEST);
}
