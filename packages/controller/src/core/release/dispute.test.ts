import { describe, expect, it } from 'vitest';
import { disputes, orderEpoch, overlooked, servedOf } from './dispute.ts';

const row = { epoch: 4, active: { blog: 'blog.20260131_001', shop: 'shop.20260131_001' } };

describe('what a node has in force', () => {
  it('is disputed when the row has never heard of it', () => {
    expect(disputes(row, { ...row, epoch: 5 })).toBe(true);
    expect(disputes(row, { epoch: 4, active: { blog: 'blog.20260131_002' } })).toBe(true);
    expect(disputes({ epoch: 4, active: {} }, row)).toBe(true);
  });

  it('is disputed, too, when the node was told of more and could not follow', () => {
    expect(disputes(row, { ...row, epoch: 3, heardEpoch: 5 })).toBe(true);
    expect(disputes(row, { ...row, epoch: 3, heardEpoch: 4 })).toBe(false);
  });

  it('is disputed, too, when it is old, and nothing was ever committed under the row', () => {
    const made = { epoch: 9, active: {}, committed: false };
    expect(disputes(made, row)).toBe(true);
    expect(disputes({ ...made, committed: true }, row)).toBe(false);
    expect(disputes(made, { epoch: 4, active: {} })).toBe(false);
    expect(servedOf(made, [row], 'blog')).toBe('blog.20260131_001');
  });

  it('is not when the node agrees or is behind', () => {
    expect(disputes(row, { epoch: 4, active: { shop: 'shop.20260131_001', blog: 'blog.20260131_001' } })).toBe(false);
    expect(disputes(row, { epoch: 3, active: { blog: 'blog.20260130_009' } })).toBe(false);
    expect(disputes({ epoch: 0, active: {} }, { epoch: 0, active: {} })).toBe(false);
  });
});

describe('what a deploy may have to be taken back to', () => {
  const later = (blog?: string) => ({ epoch: 9, active: { ...(blog === undefined ? {} : { blog }) } });

  it('is what the row says, also where nodes are behind', () => {
    expect(servedOf(row, [row, { epoch: 3, active: { blog: 'blog.20260130_009' } }], 'blog')).toBe('blog.20260131_001');
    expect(servedOf(row, [], 'news')).toBe(null);
  });

  it('is what nodes have that know of a later commit', () => {
    expect(servedOf(row, [row, later('blog.20260131_007'), later('blog.20260131_007')], 'blog')).toBe(
      'blog.20260131_007',
    );
    expect(servedOf({ epoch: 0, active: {} }, [later('blog.20260131_007')], 'blog')).toBe('blog.20260131_007');
    expect(servedOf(row, [later()], 'blog')).toBe(null);
  });

  it('is what the row says where these do not agree', () => {
    expect(servedOf(row, [later('blog.20260131_006'), later('blog.20260131_007')], 'blog')).toBe('blog.20260131_001');
  });
});

describe('a commit about some apps', () => {
  const apps = { all: ['blog', 'shop'], changed: ['blog'] };
  const ahead = (shop: string) => ({ epoch: 9, active: { blog: 'blog.20260131_007', shop } });

  it('overlooks what a node serves of others that the row knows nothing of', () => {
    expect(overlooked(row, ahead('shop.20260131_005'), apps)).toEqual(['shop']);
    expect(overlooked({ epoch: 0, active: {} }, row, apps)).toEqual(['shop']);
  });

  it('overlooks nothing where it is about all that differs, or the node is only behind', () => {
    expect(overlooked(row, ahead('shop.20260131_001'), apps)).toEqual([]);
    expect(overlooked(row, ahead('shop.20260131_005'), { ...apps, changed: ['blog', 'shop'] })).toEqual([]);
    expect(overlooked(row, { epoch: 3, active: {} }, apps)).toEqual([]);
  });
});

it('orders carry no epoch below one that a node has', () => {
  expect(orderEpoch({ epoch: 4, heardEpoch: 0 })).toBe(4);
  expect(orderEpoch({ epoch: 4, heardEpoch: 9 })).toBe(9);
});
