import { instanceSpec } from '@silverlining/protocol';
import { describe, expect, it } from 'vitest';
import { aContext, aLocation, anApp, aSet } from '../../../../../test/builders/role-context.ts';
import { buildSpec } from './build-spec.ts';
import { nextInstanceName } from './instance-name.ts';

describe('names of instances', () => {
  const now = Date.UTC(2026, 0, 31, 23, 59);

  it('count by app and day', () => {
    expect(nextInstanceName('main', now, [])).toBe('main.20260131_001');
    const taken = ['main.20260131_009', 'main.20260131_002', 'main.20260130_050', 'main-x.20260131_077'];
    expect(nextInstanceName('main', now, taken)).toBe('main.20260131_010');
    expect(nextInstanceName('main', now, ['main.20260131_999'])).toBe('main.20260131_1000');
  });

  it('are to be had whatever a node claims to have', () => {
    const taken = ['main.20260131_999999', 'main.20260131_001', 'main.20260131_003'];
    expect(nextInstanceName('main', now, taken)).toBe('main.20260131_002');
  });
});

describe('the spec of an instance', () => {
  const app = anApp('main', { env: { DEBUG: '1', SILVER_VERSION: 'mine' }, services: { mysql: '' }, health: '/up' });
  const locations = ['*/ main', 'www.example.com/ main', '.ex.test/ main', 'a.test/ other'].map(aLocation);
  const nodes = ['app1: appserver', 'db: service:mysql'];
  const set = aSet(nodes, { apps: [app], locations, services: [{ name: 'mysql', options: {} }] });
  const spec = buildSpec(app, 'main.20260131_001', aContext(set, 'app1'));

  it('is one that agents take', () => {
    expect(instanceSpec.parse(spec)).toEqual(spec);
  });

  it('has the environment that apps are given, the section’s own last', () => {
    expect(spec.env).toMatchObject({
      SILVER_VERSION: 'mine',
      SILVER_INSTANCE_NAME: 'main.20260131_001',
      SILVER_APP_NAME: 'main',
      SILVER_MATCH_PATH: '/',
      SILVER_CANONICAL_HOSTNAME: 'www.example.com',
      CONFIG_MYSQL_HOST: '10.0.0.2',
      DEBUG: '1',
    });
  });

  it('asks for health by the host that the app is reached at', () => {
    expect(spec.health).toEqual({ path: '/up', host: 'www.example.com', timeout: 60 });
    const any = { ...set, locations: ['*/ main'].map(aLocation) };
    expect(buildSpec(app, 'main.20260131_001', aContext(any, 'app1')).health.host).toBe('shop.internal');
  });

  it('is that of the locations in force, whatever the file says by now', () => {
    const later = { ...set, baseDomain: 'later.test', locations: ['x.test/new/ main'].map(aLocation) };
    expect(buildSpec(app, 'main.20260131_001', { ...aContext(set, 'app1'), set: later })).toEqual(spec);
  });

  it('is that of the file for an app that has no location in force yet', () => {
    const before = aContext({ ...set, locations: ['a.test/ other'].map(aLocation) }, 'app1');
    const { env, health } = buildSpec(app, 'main.20260131_001', {
      ...before,
      set: { ...set, locations: ['x.test/new/ main'].map(aLocation) },
    });
    expect({ host: health.host, path: env.SILVER_MATCH_PATH }).toEqual({ host: 'x.test', path: '/new/' });
  });
});
