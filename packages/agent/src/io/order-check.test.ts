import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { decode, type Envelope, encode, type Order, orderBodyText, orderText } from '@silverlining/protocol';
import { describe, expect, it } from 'vitest';
import { type OrderCheck, orderCheck } from './order-check.ts';

const ME = { set: 'demo', uuid: '6b7a3f1e-0000-4000-8000-000000000001' };
const controller = generateKeyPairSync('ed25519');
const stranger = generateKeyPairSync('ed25519');

const SWITCH = { epoch: 7, active: { blog: 'blog.20260131_002', shop: 'shop.20260131_001' }, deploy: 'deploy-1' };
const OFFER = {
  ...{ instance: 'blog.20260131_002', app: 'blog', digest: 'a'.repeat(64) },
  manifest: {
    version: 1,
    app: 'blog',
    files: [{ path: 'app/a', mode: 0o644, size: 1, sha256: 'b'.repeat(64) }],
    links: [],
  },
};

/** A request as it comes out of a frame, signed by `key` over what `changes` makes of it. */
function request(
  check: OrderCheck,
  { type = 'switch', body = SWITCH as unknown, sequence = 1 },
  how: How = {},
): Envelope {
  const { key = controller.privateKey, changes = {} } = how;
  const digest = createHash('sha256').update(orderBodyText(body)).digest('hex');
  const { challenge } = check.trust;
  const order: Order = { set: ME.set, node: ME.uuid, challenge, sequence, type, digest, ...changes };
  const signature = sign(null, Buffer.from(orderText(order)), key).toString('base64url');
  return decode(encode({ v: 1, id: `c${sequence}`, type, body, order: { sequence, signature } }));
}
interface How {
  key?: KeyObject;
  changes?: Partial<Order>;
}

const refused = (why: RegExp) => expect.objectContaining({ code: 'E_SIGNATURE', message: expect.stringMatching(why) });
const begin = () => orderCheck(controller.publicKey, ME);

describe('an order', () => {
  it('is taken when it is signed, whatever it says', () => {
    const check = begin();
    check.check(request(check, {}));
    check.check(request(check, { type: 'offer', body: OFFER, sequence: 2 }));
    check.check(request(check, { type: 'probe', body: {}, sequence: 5 }));
  });

  it('is not taken without a signature, a rollback as little as a deploy', () => {
    const check = begin();
    const { order: _none, ...unsigned } = request(check, {
      body: { ...SWITCH, active: { blog: 'blog.20260131_001' } },
    });
    expect(() => check.check(unsigned)).toThrow(
      refused(/switch is refused, and nothing was done: the order is not signed/),
    );
  });

  it('is not taken from anybody else', () => {
    const check = begin();
    expect(() => check.check(request(check, {}, { key: stranger.privateKey }))).toThrow(
      refused(/not signed with the key/),
    );
  });

  it.each<[string, Partial<Order>]>([
    ['another set', { set: 'other' }],
    ['another node', { node: '6b7a3f1e-0000-4000-8000-000000000002' }],
    ['another session', { challenge: begin().trust.challenge }],
    ['another place in the session', { sequence: 2 }],
    ['another type', { type: 'retire' }],
  ])('is not taken when it was signed for %s', (_what, changes) => {
    const check = begin();
    expect(() => check.check(request(check, {}, { changes }))).toThrow(refused(/switch is refused/));
  });

  it.each<[string, unknown, unknown]>([
    ['epoch', SWITCH, { ...SWITCH, epoch: 8 }],
    ['instance of an app', SWITCH, { ...SWITCH, active: { ...SWITCH.active, blog: 'blog.20260131_001' } }],
    ['app of the map', SWITCH, { ...SWITCH, active: { blog: SWITCH.active.blog } }],
    ['deploy', SWITCH, { ...SWITCH, deploy: 'deploy-2' }],
    ['instance of an offer', OFFER, { ...OFFER, instance: 'blog.20260131_001' }],
    ['app of an offer', OFFER, { ...OFFER, app: 'shop' }],
    ['digest', OFFER, { ...OFFER, digest: 'c'.repeat(64) }],
    ['file', OFFER, { ...OFFER, manifest: { ...OFFER.manifest, files: [] } }],
    ['field that is not known here', SWITCH, { ...SWITCH, more: true }],
  ])('is not taken with another %s than was signed', (_what, signed, body) => {
    const check = begin();
    const it = request(check, { body: signed });
    check.check(structuredClone(it));
    expect(() => begin().check({ ...it, body })).toThrow(refused(/./));
    const fresh = begin();
    expect(() => fresh.check({ ...request(fresh, { body: signed }), body })).toThrow(
      refused(/not signed with the key/),
    );
  });

  it('is not taken twice, nor after a newer one', () => {
    const check = begin();
    const first = request(check, { sequence: 1 });
    const third = request(check, { sequence: 3 });
    check.check(third);
    expect(() => check.check(third)).toThrow(refused(/given before \(order 3/));
    expect(() => check.check(first)).toThrow(refused(/given before \(order 1, and the newest is 3\)/));
  });

  it('that is refused leaves the next one as it was', () => {
    const check = begin();
    expect(() => check.check(request(check, { sequence: 9 }, { key: stranger.privateKey }))).toThrow();
    check.check(request(check, { sequence: 1 }));
  });
});
