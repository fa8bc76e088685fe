/** Locations as Apache tells them apart where no balancer stands before it. The locations are in fixtures/platforms/silver.ini. */
import { describe, expect, it } from 'vitest';
import type { Answer, AskOptions } from './support/http.ts';

export const HOST = 'platforms.test';

type Get = (host: string, path: string, more?: Partial<AskOptions>) => Promise<Answer>;

/** Host, path, and the app that has to answer. */
const ROUTES: [string, string, string][] = [
  [HOST, '/', 'hello'],
  ['PLATFORMS.test', '/', 'hello'],
  [`${HOST}:8080`, '/', 'hello'],
  [`${HOST}.`, '/', 'hello'],
  [`www.${HOST}`, '/', 'hello'],
  [`www.${HOST}`, '/wsgi/', 'wsgi'],
  [HOST, '/wsgi/x', 'wsgi'],
  [HOST, '/wsgix', 'hello'],
  [HOST, '/wsgi/deep/x', 'listing'],
  [HOST, '/wsgi/deeper', 'wsgi'],
  ['one.any.platforms.test', '/', 'listing'],
  ['any.platforms.test', '/', 'listing'],
  ['one.two.any.platforms.test', '/', 'listing'],
  ['one.very.any.platforms.test', '/', 'hello'],
  ['exact.any.platforms.test', '/', 'wsgi'],
  ['nobody.test', '/star/x', 'listing'],
];

/** Every request goes to the one app server; `instanceOf` names the release of an app that serves. */
export function describeRouting(get: Get, instanceOf: (app: string) => string): void {
  describe('which app a request reaches', () => {
    it.each(ROUTES)('%s%s: %s', async (host, path, app) => {
      expect(await get(host, path)).toMatchObject({ status: 200, release: instanceOf(app) });
    });

    it.each([
      [HOST, '/wsgi', '/wsgi/'],
      [HOST, '/wsgi?q=1', '/wsgi/?q=1'],
      [HOST, '/wsgi/deep', '/wsgi/deep/'],
      ['nobody.test', '/star', '/star/'],
    ])('%s%s is redirected to %s', async (host, path, to) => {
      const { status: code, headers } = await get(host, path);
      expect([code, headers.location]).toEqual([301, `http://${host}${to}`]);
    });

    it.each(['nobody.test', 'platforms.test.evil.test', 'xplatforms.test', 'notany.platforms.test', '[::1]', ''])(
      'nothing is found for the host %j',
      async (host) => expect(await get(host, '/')).toMatchObject({ status: 404, release: '' }),
    );

    it('static files come before the app, and only for GET and HEAD', async () => {
      const file = await get(HOST, '/wsgi/told.txt');
      expect(file).toMatchObject({ status: 200, release: instanceOf('wsgi'), body: 'static before the app\n' });
      const posted = await get(HOST, '/wsgi/told.txt', { method: 'POST', body: 'x' });
      expect(JSON.parse(posted.body)).toMatchObject({ PATH_INFO: '/told.txt' });
    });

    it('nothing that a visitor says chooses the release or marks an update', async () => {
      const headers = {
        'X-Silver-App': 'pages',
        'X-Silver-Instance': instanceOf('pages'),
        'X-Silver-Path': '/evil/',
        'X-Silver-Update': 'primary',
        X_Silver_Update: 'primary',
        'X-Forwarded-For': '203.0.113.9',
      };
      const answer = await get(HOST, '/wsgi/x', { headers });
      expect(answer.release).toBe(instanceOf('wsgi'));
      const told = JSON.parse(answer.body);
      expect(told).toMatchObject({ SCRIPT_NAME: '/wsgi', PATH_INFO: '/x', 'silverlining.update': null });
      expect(told.headers).toMatchObject({ HTTP_X_SILVER_PATH: '/wsgi/' });
      expect(JSON.stringify(told.headers)).not.toMatch(/SILVER_UPDATE|SILVER_INSTANCE|SILVER_APP|203\.0\.113\.9/);
    });
  });
}
