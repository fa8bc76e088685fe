import type { ClientRequest, IncomingMessage } from 'node:http';
import { jsonLines, SlError, wireError } from '@silverlining/protocol';
import * as z from 'zod/mini';

export interface Call {
  method: 'GET' | 'POST';
  path: string;
  body?: unknown;
  signal?: AbortSignal | undefined;
  /** Milliseconds without a byte from the controller until it counts as hung. */
  silence: number;
}

const failure = z.object({ error: wireError });
/** Said for Node, which would find out for TLS by itself, on a Unix socket too: its pattern of IPv6 addresses takes 10 ms to compile. */
const NO_SERVER_NAME = { servername: '' };

/** The whole JSON answer. Throws the controller's own error, or E_CONTROLLER with `details.cause` set to the system's code. */
export async function callJson(socketPath: string, call: Call): Promise<unknown> {
  const response = await send(socketPath, call);
  const answer = await wholeText(response).catch((cause: unknown) => {
    throw unreachable(socketPath, cause, call);
  });
  return checked(response, answer);
}

/** The lines of an NDJSON answer, parsed; empty ones, which only say that the controller lives, are left out. */
export async function* callLines(socketPath: string, call: Call): AsyncGenerator<unknown> {
  const response = await send(socketPath, call);
  try {
    if (response.statusCode !== 200) checked(response, await wholeText(response));
    // A result is as long as there are nodes.
    const lines = jsonLines(response.setEncoding('utf8'), Number.POSITIVE_INFINITY);
    for await (const line of lines) if (line !== '') yield JSON.parse(line);
  } catch (cause) {
    throw cause instanceof SlError ? cause : unreachable(socketPath, cause, call);
  }
}

async function wholeText(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

async function send(socketPath: string, call: Call): Promise<IncomingMessage> {
  // Loaded when it is needed: it is a quarter of what a command costs that does not talk to the controller.
  // An import would read every property of the module, and one of them loads Node's WebSocket: 15 ms.
  const { request } = process.getBuiltinModule('node:http');
  return new Promise((resolve, reject) => {
    const text = call.body === undefined ? undefined : JSON.stringify(call.body);
    const headers =
      text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const { method, path, signal } = call;
    const sent: ClientRequest = request({
      ...NO_SERVER_NAME,
      socketPath,
      method,
      path,
      headers,
      agent: false,
      signal,
      timeout: call.silence,
    });
    sent.on('timeout', () => sent.destroy(new SlError('E_DEADLINE', 'the controller does not answer')));
    sent.on('error', (cause) => reject(unreachable(socketPath, cause, call)));
    sent.on('response', resolve);
    sent.end(text);
  });
}

function checked(response: IncomingMessage, text: string): unknown {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new SlError('E_CONTROLLER', `the controller's answer is not JSON (status ${response.statusCode})`, { cause });
  }
  if (response.statusCode === 200) return json;
  const parsed = failure.safeParse(json);
  if (parsed.success) throw SlError.fromWire(parsed.data.error);
  throw new SlError(
    'E_CONTROLLER',
    `the controller answered with status ${response.statusCode}: ${text.slice(0, 200)}`,
  );
}

function unreachable(socketPath: string, cause: unknown, { signal }: Call): SlError {
  if (signal?.aborted) return new SlError('E_ABORTED', 'the request was given up', { cause });
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'UNKNOWN';
  const why = cause instanceof Error ? cause.message : String(cause);
  return new SlError('E_CONTROLLER', `no controller at ${socketPath}: ${why}`, { cause, details: { reason: code } });
}
