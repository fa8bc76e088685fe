import { describe, expect, it } from 'vitest';
import { openFilesLimit } from './open-files.ts';

describe('the limit of open files', () => {
  it('is the soft one of the process', () => {
    const text = 'Limit                     Soft Limit           Hard Limit           Units\n';
    expect(openFilesLimit(`${text}Max open files            1024                 4096                 files\n`)).toBe(
      1024,
    );
    expect(openFilesLimit(`${text}Max open files            unlimited            unlimited            files\n`)).toBe(
      Number.POSITIVE_INFINITY,
    );
    expect(openFilesLimit()).toBeGreaterThan(0);
  });
});
