import { expect, it } from 'vitest';
import type { InstanceJournal } from './journal.ts';
import { othersMapText } from './maps.ts';

function journal(instance: string, state: InstanceJournal['state']): InstanceJournal {
  const app = instance.split('.')[0] ?? '';
  const health = { path: '/', host: 'example.com', timeout: 10 };
  const spec = { app, instance, platform: 'static' as const, processes: 0, env: {}, packages: [], health };
  return { ...{ version: 1, instance, spec, digest: 'd', deploy: 'd1', epoch: 1, port: 0 }, state, hooks: {} };
}

it('other releases are those that are whole and not active, the newest first', () => {
  const journals = [
    journal('blog.20260131_999', 'stopped'),
    journal('blog.20260131_1000', 'prepared'),
    journal('blog.20260201_001', 'prepared'),
    journal('blog.20260201_002', 'failed'),
    journal('blog.20260201_003', 'staging'),
    journal('shop.20260101_001', 'stopped'),
  ];
  expect(othersMapText(journals, { blog: 'blog.20260201_001' })).toBe(
    'shop.1 shop.20260101_001\nblog.1 blog.20260131_1000\nblog.2 blog.20260131_999\n',
  );
});
