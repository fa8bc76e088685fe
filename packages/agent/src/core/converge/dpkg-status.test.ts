import { describe, expect, it } from 'vitest';
import { installedPackages, isInterrupted } from './dpkg-status.ts';

const STATUS = `Package: bash
Status: install ok installed
Version: 5.2

Package: postfix
Status: install ok installed
Provides: mail-transport-agent, default-mta (= 3.7), x:any

Package: removed
Status: deinstall ok config-files

Package: half
Status: install ok half-configured
`;

describe('dpkg status', () => {
  it('knows what is installed and what that provides', () => {
    expect([...installedPackages(STATUS)].sort()).toEqual([
      'bash',
      'default-mta',
      'mail-transport-agent',
      'postfix',
      'x:any',
    ]);
  });

  it('sees that dpkg was interrupted', () => {
    expect(isInterrupted(STATUS)).toBe(true);
    expect(isInterrupted('Package: bash\nStatus: install ok installed\n')).toBe(false);
  });
});
