import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import { MAX_CONTROLLER_FRAME, SlError, type WireError, wireError } from '@silverlining/protocol';
import { errno } from '@silverlining/system';
import { type ClientOptions, createWebSocketStream, WebSocket } from 'ws';
import type { AgentPaths } from '../core/paths.ts';
import type { Link, SessionEnd } from '../ports.ts';
import { type AgentConfig, certificateValidity, tlsOptions } from './identity.ts';
import { beginOrders } from './order-check.ts';
import { renewCertificate } from './renewal.ts';
import { serveRequests } from './request-server.ts';
import { connectWithWideReads } from './wide-reads.ts';

/** Milliseconds without a ping until the controller counts as gone: two of its intervals and a half. */
const SILENCE = 25_000;
const HANDSHAKE = 15_000;
const MAX_REFUSAL = 16_384;

/** The control socket and its bulk sockets: WebSockets over mutual TLS 1.3, trusted by the private CA alone. */
export function createLink(paths: AgentPaths, config: AgentConfig): Link {
  const contextOf = createContexts();
  const open = async (path: string, connectTls: (options: ConnectionOptions) => TLSSocket): Promise<WebSocket> => {
    const options = await tlsOptions(paths, config);
    const trust = { ...options, secureContext: contextOf(options) };
    // A path is that of the URL to ws, and that of a Unix socket to Node.
    const createConnection = (address: ConnectionOptions) => connectTls({ ...address, ...trust, path: undefined });
    return new WebSocket(`${config.controllerUrl}${path}`, {
      // The types of ws know of connections without TLS alone.
      createConnection: createConnection as ClientOptions['createConnection'],
      perMessageDeflate: false,
      maxPayload: MAX_CONTROLLER_FRAME,
      handshakeTimeout: HANDSHAKE,
    });
  };
  return {
    validity: () => certificateValidity(paths),
    renew: (signal) => renewCertificate(paths, config, signal),
    async session({ handlers, opened, signal }) {
      const orders = await beginOrders(paths, config);
      const socket = await open('/v1/agent', connect);
      const openTransfer = async (id: string) => {
        const path = `/v1/transfer/${encodeURIComponent(id)}`;
        return openStream(await open(path, connectWithWideReads));
      };
      const server = serveRequests(socket, { handlers, openTransfer, orders, data: paths.data });
      socket.on('open', () => {
        opened(server.session).catch((error: unknown) => socket.close(1011, messageOf(error).slice(0, 100)));
      });
      try {
        return await sessionEnd(socket, signal);
      } finally {
        server.stop();
      }
    },
  };
}

type TlsOptions = Awaited<ReturnType<typeof tlsOptions>>;

/** What certificates and keys are made into, made anew when one of them is another: each bulk socket would cost some ten milliseconds. */
function createContexts(): (options: TlsOptions) => SecureContext {
  let known: { options: TlsOptions; context: SecureContext } | undefined;
  return (options) => {
    const { key, cert, ca, minVersion } = options;
    const before = known?.options;
    const isSame = before?.key.equals(key) && before.cert.equals(cert) && before.ca.equals(ca);
    if (known !== undefined && isSame) return known.context;
    known = { options, context: createSecureContext({ key, cert, ca, minVersion }) };
    return known.context;
  };
}

/** A bulk socket as a stream; back-pressure reaches the other end through TCP. */
function openStream(socket: WebSocket): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) => {
      socket.terminate();
      reject(new SlError('E_NODE_DISCONNECTED', 'the bulk socket to the controller could not be opened', { cause }));
    };
    socket.once('error', fail);
    socket.once('unexpected-response', (_request, response) => fail(new Error(`HTTP status ${response.statusCode}`)));
    socket.once('open', () => {
      socket.off('error', fail);
      resolve(createWebSocketStream(socket));
    });
  });
}

function sessionEnd(socket: WebSocket, signal: AbortSignal): Promise<SessionEnd> {
  return new Promise((resolve) => {
    let reason = '';
    const giveUp = (why: string) => {
      reason ||= why;
      socket.terminate();
    };
    const silence = setTimeout(() => giveUp(`no ping from the controller for ${SILENCE / 1000} s`), SILENCE);
    const stop = () => giveUp('the agent stops');
    const end = (result: SessionEnd) => {
      clearTimeout(silence);
      signal.removeEventListener('abort', stop);
      resolve(result);
    };
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    socket.on('ping', () => silence.refresh());
    socket.on('open', () => silence.refresh());
    socket.on('error', (error) => {
      reason ||= connectionError(error);
    });
    socket.on('unexpected-response', (_request, response) => {
      // Terminating the socket closes it, which would end the session before the reason is read.
      void readRefusal(response).then((refusal) => {
        end(refusal);
        socket.terminate();
      });
    });
    socket.on('close', (code, text) => end({ kind: 'closed', reason: reason || closeText(code, text.toString()) }));
  });
}

/** A certificate that is not valid now says as much about this node's clock as about the certificate. */
function connectionError(error: Error): string {
  const code = errno(error) ?? '';
  if (code !== 'CERT_HAS_EXPIRED' && code !== 'CERT_NOT_YET_VALID') return error.message;
  return `${error.message}; this node's clock says ${new Date().toISOString()}: is it right?`;
}

function closeText(code: number, text: string): string {
  return text === '' ? `closed with code ${code}` : `closed with code ${code}: ${text}`;
}

/** What the controller answered instead of opening the socket: JSON of a coded error when it is one of ours. */
async function readRefusal(response: IncomingMessage): Promise<SessionEnd> {
  const { statusCode } = response;
  try {
    const { message, details } = parseRefusal(await readText(response));
    const reason = `the controller answers ${statusCode}: ${message}`;
    if (statusCode !== 401) return { kind: 'closed', reason };
    const renewable = details?.reason === 'expired' || details?.reason === 'not-yet-valid';
    return { kind: 'refused', renewable, reason };
  } catch (error) {
    return { kind: 'closed', reason: `the controller answers ${statusCode}: ${messageOf(error)}` };
  }
}

async function readText(response: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) {
    body += String(chunk);
    if (body.length > MAX_REFUSAL) break;
  }
  return body;
}

function parseRefusal(body: string): Pick<WireError, 'message' | 'details'> {
  try {
    return wireError.parse(JSON.parse(body));
  } catch {
    return { message: body.slice(0, 200).trim() };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
