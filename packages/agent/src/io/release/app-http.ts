import { type IncomingMessage, request } from 'node:http';
import { createServer } from 'node:net';
import { SlError } from '@silverlining/protocol';
import { errno } from '@silverlining/system';
import type { AppHttp, HttpAnswer, HttpQuestion } from '../../release-ports.ts';

const BODY_LIMIT = 500;

/** Requests to instances on loopback, each on a connection of its own. */
export const appHttp: AppHttp = { get, isFree };

function get(question: HttpQuestion, signal: AbortSignal): Promise<HttpAnswer> {
  const timeout = AbortSignal.timeout(Math.ceil(question.timeout));
  return new Promise<HttpAnswer>((resolve, reject) => {
    const outgoing = request({
      host: '127.0.0.1',
      port: question.port,
      path: question.path,
      headers: { ...question.headers, 'User-Agent': 'silverlining', Connection: 'close' },
      agent: false,
      signal: AbortSignal.any([signal, timeout]),
    });
    outgoing.on('response', (response) => readStart(response, resolve, reject));
    outgoing.on('error', reject);
    outgoing.end();
  }).catch((cause: unknown) => {
    if (signal.aborted) throw new SlError('E_ABORTED', 'asking the app was cancelled', { cause });
    if (timeout.aborted) throw new SlError('E_DEADLINE', `no answer within ${question.timeout / 1000} s`, { cause });
    throw new SlError('E_APP_UNHEALTHY', reasonOf(cause), { cause });
  });
}

function readStart(
  response: IncomingMessage,
  resolve: (answer: HttpAnswer) => void,
  reject: (error: unknown) => void,
): void {
  const status = response.statusCode ?? 0;
  let body = Buffer.alloc(0);
  const finish = () => {
    resolve({ status, body: body.toString('utf8', 0, BODY_LIMIT) });
    response.destroy();
  };
  response.on('data', (chunk: Buffer) => {
    body = Buffer.concat([body, chunk]);
    if (body.length >= BODY_LIMIT) finish();
  });
  response.on('end', finish);
  response.on('error', reject);
}

function reasonOf(cause: unknown): string {
  if (errno(cause) === 'ECONNREFUSED') return 'nothing listens on its port';
  if (errno(cause) === 'ECONNRESET') return 'the connection was cut before an answer';
  return cause instanceof Error ? cause.message : String(cause);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
