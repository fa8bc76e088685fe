/** What an app finds around itself on its node: fixtures/platforms/wsgi tells. */
import { describe, expect, it } from 'vitest';
import { HOST } from './platforms-routing.ts';
import type { TestNode } from './support/nodes.ts';

export interface Surroundings {
  env: Record<string, string>;
  user: string;
  cwd: string;
  colour: string;
  package: string;
  temp: { before: string[]; writable: boolean };
  logs_writable: boolean;
  code_writable: boolean;
  config_writable: boolean;
  logs: string[];
}

export interface SurroundingsOptions {
  node: () => TestNode;
  /** The release of an app that serves. */
  instanceOf: (app: string) => string;
  surroundings: () => Promise<Surroundings>;
}

export function describeSurroundings({ node, instanceOf, surroundings }: SurroundingsOptions): void {
  describe('what an app is given', () => {
    it('its environment', async () => {
      const instance = instanceOf('wsgi');
      const temp = `/var/lib/silverlining/tmp/wsgi/${instance}`;
      const { env } = await surroundings();
      expect(env).toMatchObject({
        SILVER_VERSION: expect.stringMatching(/^silverlining\/\d+\.\d+/),
        SILVER_INSTANCE_NAME: instance,
        SILVER_APP_NAME: 'wsgi',
        SILVER_MATCH_PATH: '/wsgi/',
        SILVER_CANONICAL_HOSTNAME: HOST,
        SILVER_APP_CONFIG: `/var/lib/silverlining/releases/${instance}/config`,
        SILVER_SECRET_FILE: '/var/lib/silverlining/secrets/wsgi',
        SILVER_LOGS: '/var/log/silverlining/apps/wsgi',
        TEMP: temp,
        TMPDIR: temp,
        HOME: temp,
        HOST: '127.0.0.1',
        PORT: expect.stringMatching(/^\d+$/),
        GREETING: 'two words, "quotes" and a $dollar',
      });
    });

    it('a user of its own, who writes to TEMP and logs, and not to code and configuration', async () => {
      const { user, colour, temp, ...writable } = await surroundings();
      expect(user).toBe('app-wsgi');
      expect(colour).toBe('blue');
      expect(temp.writable).toBe(true);
      expect(writable).toMatchObject({ logs_writable: true, code_writable: false, config_writable: false });
      const users = await node().exec(['ps', '-eo', 'user:32=,args=']);
      expect(users.stdout).toMatch(/^app-hello +\S*node .*server\.js$/m);
      expect(users.stdout).toMatch(/^app-listing /m);
    });

    const readAs = (user: string, path: string) =>
      node().exec(['runuser', '-u', user, '--', 'cat', path], { allowExit: [1] });

    it('configuration that no other app can read', async () => {
      const path = `/var/lib/silverlining/releases/${instanceOf('wsgi')}/config/colour.txt`;
      expect(await readAs('app-hello', path)).toMatchObject({ exitCode: 1, stdout: '' });
    });

    it('the secret of the set, in a file that no other app can read and in no environment', async () => {
      const file = '/var/lib/silverlining/secrets/wsgi';
      const { stdout: secret } = await readAs('app-wsgi', file);
      expect(secret).toMatch(/^[\w-]{32}\n$/);
      expect(await readAs('app-hello', file)).toMatchObject({ exitCode: 1, stdout: '' });
      expect((await readAs('app-hello', '/var/lib/silverlining/secrets/hello')).stdout).toBe(secret);
      expect(JSON.stringify(await surroundings())).not.toContain(secret.trim());
    });

    it('its packages, its scripts outside of the agent’s limits, and its update requests, in that order', async () => {
      const { package: imported, logs } = await surroundings();
      const instance = instanceOf('wsgi');
      expect(imported).toBe('itsdangerous');
      expect(logs).toEqual([
        `${instance} installed as app-wsgi in silver-task at 0`,
        `${instance} fetched as primary`,
        `${instance} from-script as primary`,
      ]);
    });
  });
}
