import { describe, expect, it } from 'vitest';
import { aContext, anApp, aSet } from '../../../../../test/builders/role-context.ts';
import { KNOWN_SERVICES, secretsNeeded, serviceEnv, serviceRole } from './index.ts';
import { databaseName } from './mysql.ts';

const withMysql = (...names: string[]) =>
  aSet(['app1: appserver', 'app2: appserver', 'db: service:mysql'], {
    apps: [...names.map((name) => anApp(name, { services: { mysql: '' } })), anApp('plain')],
    services: [{ name: 'mysql', options: {} }],
  });

describe('mysql', () => {
  it('makes a database for each app that wants one, for app servers only', () => {
    const { resources } = serviceRole('mysql')(aContext(withMysql('my-blog'), 'db'));
    expect(resources.filter((it) => it.type === 'mysql-database')).toEqual([
      {
        type: 'mysql-database',
        database: 'my_blog',
        user: 'my_blog',
        password: 'a-password-of-a-test',
        hosts: ['10.0.0.1', '10.0.0.2'],
      },
    ]);
  });

  it('listens on addresses that its node may not know, and only app servers get to it', () => {
    const { resources, openings } = serviceRole('mysql')(aContext(withMysql('main'), 'db'));
    expect(JSON.stringify(resources)).toContain('bind-address = *\\n');
    expect(openings).toEqual([{ port: 3306, from: ['10.0.0.1', '10.0.0.2'] }]);
  });

  it('tells apps where their database is', () => {
    const set = withMysql('my-blog');
    const [app = anApp('none'), plain = app] = set.apps;
    const url = 'mysql://my_blog:a-password-of-a-test@10.0.0.3:3306/my_blog';
    expect(serviceEnv(app, aContext(set, 'app1'))).toEqual({
      CONFIG_MYSQL_DBNAME: 'my_blog',
      CONFIG_MYSQL_USER: 'my_blog',
      CONFIG_MYSQL_PASSWORD: 'a-password-of-a-test',
      CONFIG_MYSQL_HOST: '10.0.0.3',
      CONFIG_MYSQL_PORT: '3306',
      CONFIG_MYSQL_SQLALCHEMY: `${url}?charset=utf8mb4`,
      CONFIG_MYSQL_URL: url,
    });
    expect(serviceEnv(plain, aContext(set, 'app1'))).toEqual({});
  });

  it('never shares a database, nor takes one of the server itself', () => {
    const set = withMysql('a-b', 'a_b', 'mysql', 'root');
    expect(() => databaseName({ name: 'a-b' }, set)).toThrow('apps a-b and a_b would share the database a_b');
    expect(databaseName({ name: 'mysql' }, set)).toBe('app_mysql');
    expect(databaseName({ name: 'root' }, set)).toBe('app_root');
    expect(databaseName({ name: 'plain' }, set)).toBe('plain');
  });

  it('refuses options that it does not know', () => {
    const set = { ...withMysql('main'), services: [{ name: 'mysql', options: { colour: 'red' } }] };
    expect(() => serviceRole('mysql')(aContext(set, 'db'))).toThrow(/\[service:mysql\].*colour/);
  });
});

describe('services', () => {
  it('name the secrets that a set needs', () => {
    expect(secretsNeeded(withMysql('main', 'blog'))).toEqual(['mysql/main/password', 'mysql/blog/password']);
  });

  it('are known by name; others are an error that lists them', () => {
    expect(KNOWN_SERVICES).toEqual({ mysql: { optionKeys: [], maxNodes: 1 } });
    expect(() => serviceRole('oracle')).toThrow('there is no service oracle; known: mysql');
  });
});
