import { describe, expect, it } from 'vitest';
import { parseAccounts, userCommands, userDifferences } from './accounts.ts';

const accounts = parseAccounts(
  'root:x:0:0:root:/root:/bin/bash\nwww-mgr:x:999:999::/nonexistent:/usr/sbin/nologin\n',
  'root:x:0:\nadm:x:4:syslog,www-mgr\nwww-mgr:x:999:\n',
);
const wanted = { name: 'www-mgr', home: '/nonexistent', shell: '/usr/sbin/nologin', groups: ['adm'] };

describe('users', () => {
  it('differ by existence, home, shell and groups', () => {
    expect(userDifferences(wanted, accounts)).toEqual([]);
    expect(userDifferences({ ...wanted, name: 'new' }, accounts)).toEqual(['does not exist']);
    expect(userDifferences({ ...wanted, home: '/srv', groups: ['adm', 'ssl'] }, accounts)).toEqual([
      'home /nonexistent instead of /srv',
      'not in ssl',
    ]);
  });

  it('are made by argv', () => {
    expect(userCommands({ ...wanted, name: 'new', groups: ['ssl'] }, accounts)).toEqual([
      ['groupadd', '--system', '--', 'ssl'],
      [
        ...['useradd', '--system', '--no-create-home', '--user-group', '--home-dir', '/nonexistent'],
        ...['--shell', '/usr/sbin/nologin', '--groups', 'ssl', '--', 'new'],
      ],
    ]);
    expect(userCommands(wanted, accounts)).toEqual([
      [
        'usermod',
        '--home',
        '/nonexistent',
        '--shell',
        '/usr/sbin/nologin',
        '--append',
        '--groups',
        'adm',
        '--',
        'www-mgr',
      ],
    ]);
  });
});
