import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHUNKED_FROM } from '@silverlining/protocol';
import { expect, it, onTestFinished } from 'vitest';
import { removeContent } from './remove-content.ts';

function fileOf(bytes: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'sl-remove-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'content');
  writeFileSync(path, '');
  truncateSync(path, bytes);
  return path;
}

it('removes a small file at once', () => {
  const path = fileOf(CHUNKED_FROM - 1);
  expect([removeContent(path), existsSync(path)]).toEqual([undefined, false]);
});

it('does not keep the agent from anything else while a large one goes', async () => {
  const path = fileOf(CHUNKED_FROM);
  const removed = removeContent(path);
  expect(existsSync(path)).toBe(true);
  await removed;
  expect(existsSync(path)).toBe(false);
});

it('has nothing to do where there is no file', () => {
  expect(removeContent('/proc/none')).toBeUndefined();
});
