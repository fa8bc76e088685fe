import { chmod, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { SlError } from '@silverlining/protocol';
import fastify, { type FastifyInstance } from 'fastify';
import { controllerStops } from '../../service.ts';
import { makeSocketDirectory } from '../api-socket.ts';
import { httpError } from './http-errors.ts';
import { addRoutes, type RouteContext } from './routes.ts';

/** What the API logs to; a pino logger is one. */
export interface ApiLogger {
  info(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

export interface ApiOptions extends RouteContext {
  logger: ApiLogger;
  /** Milliseconds in which a request has to arrive whole, else 408; ten seconds when not given. */
  requestTimeout?: number;
  /** Milliseconds that streams have left when it closes; half a second when not given. */
  closeGrace?: number;
}

export interface Api {
  socketPath: string;
  /** From now on requests are refused, with STOPPING as the reason; streams go on. */
  refuse(): void;
  /**
   * Stops listening, lets streams whose operation has ended bring out their last lines, and cuts what is left. Operations
   * are not its business: stop them first.
   */
  close(): Promise<void>;
}

/** Largest request body: a server set with its secrets is a few KB. */
const BODY_LIMIT = 16 << 20;
const REQUEST_TIMEOUT_MS = 10_000;
const CLOSE_GRACE_MS = 500;

/**
 * Serves the API on a unix socket that only this user can open. The caller holds the daemon's lock: a socket that
 * is found at the path belongs to a controller that is gone.
 */
export async function startApi(options: ApiOptions): Promise<Api> {
  const { socketPath } = options;
  const stopping = new AbortController();
  const app = buildApp(options, stopping.signal);
  await makeSocketDirectory(socketPath);
  await rm(socketPath, { force: true });
  await app.listen({ path: socketPath });
  await chmod(socketPath, 0o600);
  const refuse = () => stopping.abort();
  const close = () => {
    refuse();
    return closeApp(app, options.closeGrace ?? CLOSE_GRACE_MS);
  };
  return { socketPath, refuse, close };
}

function buildApp(options: ApiOptions, stopping: AbortSignal): FastifyInstance {
  const requestTimeout = options.requestTimeout ?? REQUEST_TIMEOUT_MS;
  const app = fastify({
    logger: false,
    bodyLimit: BODY_LIMIT,
    requestTimeout,
    http: { connectionsCheckingInterval: Math.min(1_000, requestTimeout), headersTimeout: requestTimeout },
    forceCloseConnections: 'idle',
    // Its own answer would not say why.
    return503OnClosing: false,
    clientErrorHandler: answerClientError,
  });
  app.removeContentTypeParser('text/plain');
  app.setErrorHandler((thrown, request, reply) => {
    const { status, body } = httpError(thrown);
    if (status >= 500) options.logger.error({ err: thrown, url: request.url }, 'a request failed');
    return reply.code(status).send(body);
  });
  app.setNotFoundHandler((request, reply) => {
    const { status, body } = httpError(new SlError('E_NOT_FOUND', `no such request: ${request.method} ${request.url}`));
    return reply.code(status).send(body);
  });
  app.addHook('onRequest', async () => {
    if (stopping.aborted) throw controllerStops();
  });
  addRoutes(app, options);
  return app;
}

async function closeApp(app: FastifyInstance, grace: number): Promise<void> {
  const cut = setTimeout(() => app.server.closeAllConnections(), grace);
  await app.close();
  clearTimeout(cut);
}

/** Requests that never became one: too slow, too large headers, not HTTP. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const slow = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const reason = slow ? '408 Request Timeout' : '400 Bad Request';
  const message = slow ? 'the request did not arrive in time' : 'the request is not valid HTTP';
  const body = JSON.stringify(httpError(new SlError('E_USAGE', message)).body);
  if (socket.writable) {
    const head = `HTTP/1.1 ${reason}\r\nContent-Type: application/json\r\nConnection: close\r\n`;
    socket.write(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }
  socket.destroySoon();
}
