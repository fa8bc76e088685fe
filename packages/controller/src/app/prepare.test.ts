import type { InstanceSpec } from '@silverlining/protocol';
import { describe, expect, it } from 'vitest';
import { anApp, aSet, aTopology } from '../../../../test/builders/role-context.ts';
import { buildSpec } from '../core/release/build-spec.ts';
import { DIGEST, release } from '../io/store/contract-records.ts';
import type { ScannedRelease } from '../ports.ts';
import type { ObservedApp } from './observe.ts';
import { differs } from './prepare.ts';

const set = aSet(['app1: appserver']);
const context = { set, topology: aTopology(set), secrets: new Map<string, string>() };
const app = anApp('main');
const INSTANCE = 'main.20260131_001';

/** The app as it was found, with what serves having been deployed with this specification. */
function observed(spec: InstanceSpec, digest = DIGEST): ObservedApp {
  const scanned: ScannedRelease = { manifest: { version: 1, app: 'main', files: [], links: [] }, digest, bytes: 0 };
  return { app, scanned, active: release('shop', INSTANCE, { spec, digest: DIGEST }) };
}

const spec = buildSpec(app, INSTANCE, context);

describe('an app is deployed again', () => {
  it('when its files, or the way it runs, differ', () => {
    expect(differs(observed(spec, 'b'.repeat(64)), context)).toBe(true);
    expect(differs(observed({ ...spec, processes: 7 }), context)).toBe(true);
    expect(differs(observed({ ...spec, env: { ...spec.env, MORE: '1' } }), context)).toBe(true);
  });

  it('when nothing of it is live', () => {
    expect(differs({ ...observed(spec), active: undefined }, context)).toBe(true);
  });

  it('not when nothing differs, or only the version of Silver Lining that deployed it', () => {
    expect(differs(observed(spec), context)).toBe(false);
    const older = { ...spec.env, SILVER_VERSION: 'silverlining/0.0.1' };
    expect(differs(observed({ ...spec, env: older }), context)).toBe(false);
  });
});
