import { SlError } from '@silverlining/protocol';
import { expect, it } from 'vitest';
import { APP, release } from '../io/store/contract-records.ts';
import { checkConfigs } from './check-configs.ts';
import type { ObservedApp } from './observe.ts';

const { signal } = new AbortController();
const live = release('demo', 'blog.20260131_001');

function observed(name: string, active: ObservedApp['active'], digest = live.digest): ObservedApp {
  return { app: { ...APP, name }, scanned: { manifest: live.manifest, digest, bytes: 0 }, active };
}

it('asks the apps that something of changed, and no others', async () => {
  const asked: string[] = [];
  const checkConfig = async ({ name }: { name: string }) => void asked.push(name);
  const apps = [observed('new', undefined), observed('same', live), observed('changed', live, 'e'.repeat(64))];
  await checkConfigs({ checkConfig }, apps, signal);
  expect(asked).toEqual(['new', 'changed']);
});

it('fails with all that refuse', async () => {
  const checkConfig = async ({ name }: { name: string }) => {
    throw new SlError('E_APP_CONFIG', `${name} has no title`);
  };
  const checking = checkConfigs({ checkConfig }, [observed('a', undefined), observed('b', undefined)], signal);
  await expect(checking).rejects.toMatchObject({
    code: 'E_APP_CONFIG',
    message: expect.stringMatching(/a has no title.*b has no title/),
  });
});
