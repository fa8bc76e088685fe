import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { appHttp } from './app-http.ts';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

function listen(answer: RequestListener): Promise<number> {
  const listening = createServer(answer);
  server = listening;
  return new Promise((resolve) => {
    listening.listen(0, '127.0.0.1', () => resolve((listening.address() as AddressInfo).port));
  });
}
const signal = new AbortController().signal;
const ask = (port: number, timeout = 5_000, stop = signal) =>
  appHttp.get({ port, path: '/x', headers: { Host: 'example.com', 'X-Silver-Update': 'primary' }, timeout }, stop);

describe('asking an app', () => {
  it('sends the headers, follows no redirect, and brings the start of the body', async () => {
    const port = await listen(({ headers, url }, response) => {
      response.writeHead(302, { Location: '/elsewhere' });
      response.end(`${url} ${headers.host} ${headers['x-silver-update']} ${'x'.repeat(2000)}`);
    });
    const { status, body } = await ask(port);
    expect([status, body.length]).toEqual([302, 500]);
    expect(body).toMatch(/^\/x example\.com primary x/);
  });

  it('does not wait for a body that never ends', async () => {
    const port = await listen((_request, response) => {
      const more = setInterval(() => response.write('x'.repeat(100)), 1);
      response.on('close', () => clearInterval(more));
    });
    expect((await ask(port)).body).toBe('x'.repeat(500));
  });

  it('says when nothing answers in time, or nothing listens', async () => {
    const port = await listen(() => undefined);
    expect(await appHttp.isFree(port)).toBe(false);
    await expect(ask(port, 20.5)).rejects.toMatchObject({ code: 'E_DEADLINE' });
    server?.closeAllConnections();
    await new Promise((resolve) => server?.close(resolve));
    expect(await appHttp.isFree(port)).toBe(true);
    await expect(ask(port)).rejects.toMatchObject({ code: 'E_APP_UNHEALTHY', message: 'nothing listens on its port' });
  });

  it('can be cancelled', async () => {
    const port = await listen(() => undefined);
    await expect(ask(port, 5_000, AbortSignal.timeout(10))).rejects.toMatchObject({ code: 'E_ABORTED' });
  });
});
