import { mkdtemp, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ApiFixture, startApiFixture } from '../../../../../test/fakes/api-fixture.ts';
import { ControllerClient } from '../../client/client.ts';

let api: ApiFixture;
beforeEach(async () => {
  api = await startApiFixture();
});
afterEach(() => api.close());

interface Answer {
  status: number | undefined;
  body: { error: { code: string; message: string } };
}

function post(path: string, body: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({
      socketPath: api.socketPath,
      method: 'POST',
      path,
      headers: { 'content-type': 'application/json', ...headers },
    });
    sent.on('error', reject);
    sent.on('response', async (response) => {
      let text = '';
      for await (const part of response) text += part;
      resolve({ status: response.statusCode, body: JSON.parse(text) });
    });
    sent.end(body);
  });
}

describe('the socket', () => {
  it('is this user’s alone', async () => {
    expect((await stat(api.socketPath)).mode & 0o777).toBe(0o600);
    expect((await stat(api.directory)).mode & 0o777).toBe(0o700);
    expect((await api.client.info()).socket).toBe(api.socketPath);
  });

  it('that was left behind is replaced', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sl-left-'));
    await writeFile(join(directory, 'controller.sock'), '');
    const next = await startApiFixture({ directory });
    expect(await next.client.info()).toMatchObject({ pid: process.pid, operations: [] });
    await next.close();
  });

  it('when nothing listens the client says so with the reason', async () => {
    const nobody = new ControllerClient(join(api.directory, 'nobody.sock'));
    await expect(nobody.info()).rejects.toMatchObject({ code: 'E_CONTROLLER', details: { reason: 'ENOENT' } });
  });
});

describe('a controller that is about to stop', () => {
  it('says so to whoever comes, and goes on with what streams', async () => {
    let finish = () => {};
    api.service.work.deploy = () => new Promise((resolve) => (finish = () => resolve({ deploys: [] })));
    const events = api.client.operate('deploy', { set: aSet(), apps: [] });
    await events.next();
    api.refuse();
    const refused = { code: 'E_CONTROLLER', message: 'the controller is stopping', details: { reason: 'STOPPING' } };
    await expect(api.client.info()).rejects.toMatchObject(refused);
    await expect(api.client.operate('rollback', { set: 'shop' }).next()).rejects.toMatchObject(refused);
    finish();
    expect((await events.next()).value).toMatchObject({ type: 'done' });
  });

  it('is never called hung while it closes', async () => {
    const reasons = new Set<unknown>();
    const asking = Array.from({ length: 50 }, async (_, i) => {
      await setTimeout(i / 10);
      await api.client.info().catch((error) => reasons.add(error.details.reason));
    });
    await setTimeout(2);
    await api.cut();
    await Promise.all(asking);
    expect(['STOPPING', 'ENOENT', 'ECONNREFUSED', 'ECONNRESET']).toEqual(expect.arrayContaining([...reasons]));
  });
});

/** All that comes until the server closes the connection, for a request of which only the beginning is sent. */
async function unfinished(socketPath: string, length: number): Promise<string> {
  const socket = connect(socketPath);
  const head = `Host: x\r\nContent-Type: application/json\r\nContent-Length: ${length}`;
  socket.write(`POST /v1/status HTTP/1.1\r\n${head}\r\n\r\n{"set"`);
  let answer = '';
  for await (const part of socket) answer += part;
  return answer;
}

describe('requests', () => {
  it('with one answer come back parsed', async () => {
    expect(await api.client.status({ set: 'shop' })).toEqual(api.service.status$);
    expect(api.service.asked).toEqual([{ verb: 'status', request: { set: 'shop' } }]);
    expect(await api.client.deploys({ set: 'shop' })).toMatchObject({ set: 'shop', deploys: [{ state: 'ended' }] });
  });

  it.each([
    ['unknown key', '/v1/status', '{"set":"shop","force":true}', 400, 'force'],
    ['missing key', '/v1/status', '{}', 400, 'set'],
    ['not JSON', '/v1/status', '{"set":', 400, 'not valid JSON'],
    ['prototype poisoning', '/v1/status', '{"__proto__":{"set":"shop"}}', 400, 'not valid JSON'],
    ['empty body', '/v1/status', '', 400, 'empty'],
    ['bad operation body', '/v1/up', '{"set":"shop"}', 400, 'set'],
    ['deep nesting', '/v1/up', `${'['.repeat(1000)}${']'.repeat(1000)}`, 400, 'expected object'],
    ['unknown verb', '/v1/constructor', '{}', 404, '/v1/constructor'],
    ['unknown operation', '/v1/attach', '{"operation":"up-nope"}', 404, 'up-nope'],
  ])('that are wrong get a coded error: %s', async (_name, path, body, status, message) => {
    const answer = await post(path, body);
    expect(answer.status).toBe(status);
    expect(answer.body.error.code).toBe(status === 404 ? 'E_NOT_FOUND' : 'E_USAGE');
    expect(answer.body.error.message).toContain(message);
    expect(api.service.asked).toEqual([]);
  });

  it('of a wrong type get 415', async () => {
    expect((await post('/v1/status', 'set=shop', { 'content-type': 'text/plain' })).status).toBe(415);
  });

  it('that are too large get 413, before they are read', async () => {
    const answer = await unfinished(api.socketPath, (16 << 20) + 1);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('that never arrive whole get 408', async () => {
    const impatient = await startApiFixture({ requestTimeout: 200 });
    const answer = await unfinished(impatient.socketPath, 100);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain('"code":"E_USAGE"');
    await impatient.close();
  });

  it('that are not HTTP get 400', async () => {
    const socket = connect(api.socketPath);
    socket.write('hello\r\n\r\n');
    let answer = '';
    for await (const part of socket) answer += part;
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('that the service breaks on say so and are logged', async () => {
    api.service.status = () => Promise.reject(new TypeError('broken'));
    await expect(api.client.status({ set: 'shop' })).rejects.toMatchObject({ code: 'E_INTERNAL', message: 'broken' });
    expect(api.defects).toMatchObject([{ url: '/v1/status', err: { message: 'broken' } }]);
  });

  it('have their signal aborted when the client goes away', async () => {
    const leaving = new AbortController();
    const gone = new Promise<void>((resolve) => {
      api.service.plan = (_request, { signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            reject(signal.reason);
            resolve();
          });
          leaving.abort();
        });
    });
    const asked = api.client.plan({ set: aSet() }, leaving.signal);
    await expect(asked).rejects.toMatchObject({ code: 'E_ABORTED' });
    await gone;
  });
});

function aSet() {
  return {
    ...{ name: 'shop', file: '/srv/silver.ini', baseDomain: 'shop.internal', setEtcHosts: true, controller: {} },
    ...{ provider: { driver: 'local', options: {} }, nodes: [], locations: [], aliases: [], apps: [], services: [] },
  };
}
