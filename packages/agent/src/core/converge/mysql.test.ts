import { describe, expect, it } from 'vitest';
import { databaseDifferences, databaseSql, parseMysqlState } from './mysql.ts';

const OUTPUT = `database\tinformation_schema\t\t
database\tguest_book\t\t
user\troot\tlocalhost\t
user\tguest\t10.0.0.1\t
user\tguest\t10.0.0.9\t
grant\tguest\t10.0.0.1\tguest\\\\_book
`;
const wanted = { database: 'guest_book', user: 'guest', password: 'abcdefghijklmnop', hosts: ['10.0.0.1'] };

describe('mysql databases', () => {
  it('differ by what one look at the server shows', () => {
    const state = parseMysqlState(OUTPUT);
    expect(databaseDifferences(wanted, state, true)).toEqual(['user guest may come from 10.0.0.9']);
    expect(databaseDifferences({ ...wanted, hosts: ['10.0.0.1', '10.0.0.9'] }, state, false)).toEqual([
      'user guest has no rights from 10.0.0.9',
      'password differs',
    ]);
    expect(databaseDifferences({ ...wanted, database: 'other', user: 'o' }, state, true)).toEqual([
      'database does not exist',
      'user o cannot come from 10.0.0.1',
    ]);
  });

  it('give no rights on databases whose name only looks alike, and drop other hosts', () => {
    expect(
      databaseSql(wanted, parseMysqlState(OUTPUT)),
    ).toBe(`CREATE DATABASE IF NOT EXISTS \`guest_book\` CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS 'guest'@'10.0.0.1';
ALTER USER 'guest'@'10.0.0.1' IDENTIFIED BY 'abcdefghijklmnop';
GRANT ALL PRIVILEGES ON \`guest\\_book\`.* TO 'guest'@'10.0.0.1';
DROP USER IF EXISTS 'guest'@'10.0.0.9';
`);
  });

  it('leave accounts of the name alone that are not those of nodes', () => {
    const own = ['localhost', '%', '10.0.0.%', '192.168.0.0/255.255.0.0', 'db.example'];
    const users = ['10.0.0.1', ...own, 'fd00::7'].map((host) => `user\tguest\t${host}\t`).join('\n');
    const state = parseMysqlState(`database\tguest_book\t\t\ngrant\tguest\t10.0.0.1\tguest\\\\_book\n${users}\n`);
    expect(databaseDifferences(wanted, state, true)).toEqual(['user guest may come from fd00::7']);
    expect(databaseSql(wanted, state).match(/^DROP.*$/gm)).toEqual(["DROP USER IF EXISTS 'guest'@'fd00::7';"]);
  });

  it('refuse what would need escaping', () => {
    const state = parseMysqlState('');
    expect(() => databaseSql({ ...wanted, password: "x'; DROP DATABASE mysql; --" }, state)).toThrow('not fit for SQL');
  });
});
