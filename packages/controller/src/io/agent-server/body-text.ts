import { hash } from 'node:crypto';
import { orderBodyText } from '@silverlining/protocol';

/** A body as it is sent, and the SHA-256 (hex) of that, which is signed. */
export interface BodyText {
  text: string;
  digest: string;
}

const made = new WeakMap<object, BodyText>();

/** Of a body that goes to many nodes it is made once: the topology of a thousand has 150 KB. Nobody changes a body that was sent. */
export function bodyText(body: object): BodyText {
  const known = made.get(body);
  if (known !== undefined) return known;
  const text = orderBodyText(body);
  const it = { text, digest: hash('sha256', text) };
  made.set(body, it);
  return it;
}
