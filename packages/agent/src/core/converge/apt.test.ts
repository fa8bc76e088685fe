import { describe, expect, it } from 'vitest';
import { APT_FIX_ARGV, aptFailure, aptInstallArgv, aptUpdateArgv } from './apt.ts';

describe('apt', () => {
  it('installs with names apart from options', () => {
    expect(aptInstallArgv(['apache2'], false).slice(-3)).toEqual(['install', '--', 'apache2']);
  });

  it('removes others for them only where it may', () => {
    expect(aptInstallArgv(['mariadb-server'], false)).toContain('--no-remove');
    expect(aptInstallArgv(['chrony'], true)).not.toContain('--no-remove');
  });

  it('removes nothing to finish what was cut off, and overwrites no configuration file', () => {
    expect(APT_FIX_ARGV.slice(-3)).toEqual(['--no-remove', '--fix-broken', 'install']);
    expect(APT_FIX_ARGV).toContain('Dpkg::Options::=--force-confold');
  });

  it('leaves no retry for later, which apt may never come back to', () => {
    for (const argv of [aptUpdateArgv(), aptInstallArgv(['apache2'], false), APT_FIX_ARGV])
      expect(argv).toEqual(expect.arrayContaining(['Acquire::Retries=3', 'Acquire::Retries::Delay=false']));
  });

  it.each([
    [
      'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 123 (python3)',
      { kind: 'locked', holder: 'python3 (process 123)' },
    ],
    [
      "E: Unable to locate package nope\nE: Package 'gone' has no installation candidate",
      { kind: 'unknown-packages', names: ['nope', 'gone'] },
    ],
    ["E: dpkg was interrupted, you must manually run 'dpkg --configure -a'", { kind: 'interrupted' }],
    [
      [
        ...['The following packages will be REMOVED:', '  mysql-client* mysql-server*', '  mysql-server-8.0*'],
        ...['The following NEW packages will be installed:', '  mariadb-server'],
        'E: Packages need to be removed but remove is disabled.',
      ].join('\n'),
      { kind: 'removal', names: ['mysql-client', 'mysql-server', 'mysql-server-8.0'] },
    ],
    ['E: Failed to fetch http://mirror/x.deb  404', { kind: 'fetch' }],
    ['E: Sub-process /usr/bin/dpkg returned an error code (1)', { kind: 'other' }],
  ])('says why it failed: %s', (output, failure) => {
    expect(aptFailure(output)).toEqual(failure);
  });
});
