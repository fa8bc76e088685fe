import { randomBytes, randomUUID } from 'node:crypto';
import type { Ids } from '../ports.ts';

/** Identifiers from the kernel's random numbers. */
export const randomIds: Ids = {
  uuid: () => randomUUID(),
  token: (bytes) => randomBytes(bytes).toString('base64url'),
};
