import { describe, expect, it } from 'vitest';
import {
  checkNode,
  type EnrolledNode,
  identityUri,
  mayRenew,
  type PresentedCertificate,
  parseIdentityUri,
  readIdentity,
} from './enrolment.ts';

const NOW = Date.UTC(2026, 0, 31);
const IDENTITY = { set: 'demo', uuid: '11111111-2222-4333-8444-555555555555', generation: 3 };
const NODE: EnrolledNode = {
  ...{ set: 'demo', name: 'app1.demo.internal', state: 'enrolled', keyHash: 'k', certGeneration: 3 },
};
const PRESENTED: PresentedCertificate = {
  ...{ ours: true, usages: ['1.3.6.1.5.5.7.3.2'], names: `URI:${identityUri(IDENTITY)}`, keyHash: 'k' },
  ...{ validFrom: NOW - 1, validTo: NOW + 1 },
};

describe('identities', () => {
  it('go into a certificate and come out of it', () => {
    expect(identityUri(IDENTITY)).toBe('spiffe://demo/node/11111111-2222-4333-8444-555555555555/g/3');
    expect(readIdentity(PRESENTED)).toEqual(IDENTITY);
  });

  it.each(['', 'spiffe://demo/node/x/g/1', `${identityUri(IDENTITY)}/`, identityUri({ ...IDENTITY, generation: 0 })])(
    'are not read from %j',
    (uri) => expect(parseIdentityUri(uri)).toBeUndefined(),
  );

  it.each([
    ['another CA', { ...PRESENTED, ours: false }, 'foreign'],
    ['a server certificate', { ...PRESENTED, usages: ['1.3.6.1.5.5.7.3.1'] }, 'usage'],
    ['any usage', { ...PRESENTED, usages: [] }, 'usage'],
    ['client and more', { ...PRESENTED, usages: [...PRESENTED.usages, '1.3.6.1.5.5.7.3.1'] }, 'usage'],
    ['no name', { ...PRESENTED, names: undefined }, 'name'],
    ['two names', { ...PRESENTED, names: `${PRESENTED.names}, DNS:x` }, 'name'],
  ])('are denied for %s', (_name, presented, reason) => {
    expect(readIdentity(presented)).toMatchObject({ reason });
  });
});

describe('checkNode', () => {
  it('admits what the row says', () => {
    expect(checkNode(IDENTITY, PRESENTED, NODE, NOW)).toBeUndefined();
  });

  it.each([
    ['a node of another set', { set: 'other' }, {}, 'unknown-node', false],
    ['a node that is only created', { state: 'created' }, {}, 'not-enrolled', false],
    ['a node without a key', { keyHash: undefined }, {}, 'not-enrolled', false],
    ['an older enrolment', { certGeneration: 4 }, {}, 'generation', false],
    ['a newer enrolment', { certGeneration: 2 }, {}, 'generation', false],
    ['another key', {}, { keyHash: 'other' }, 'key', false],
    ['an expired one with another key', {}, { keyHash: 'other', validTo: NOW - 1 }, 'key', false],
    ['an expired one', {}, { validTo: NOW - 1 }, 'expired', true],
    ['one of the future', {}, { validFrom: NOW + 1 }, 'not-yet-valid', true],
  ] as const)('denies %s', (_name, node, presented, reason, renewable) => {
    const denial = checkNode(IDENTITY, { ...PRESENTED, ...presented }, { ...NODE, ...node }, NOW);
    expect(denial).toMatchObject({ reason });
    expect(mayRenew(denial)).toBe(renewable);
  });
});
