import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { bodyText } from './body-text.ts';

it('a body is made text once, however many nodes it goes to, with the digest of that text', () => {
  let made = 0;
  const body = { topology: { toJSON: () => ++made } };
  const first = bodyText(body);
  expect(first).toEqual({
    text: '{"topology":1}',
    digest: createHash('sha256').update('{"topology":1}').digest('hex'),
  });
  expect(bodyText(body)).toBe(first);
  expect(bodyText({ topology: 2 })).toMatchObject({ text: '{"topology":2}' });
});
