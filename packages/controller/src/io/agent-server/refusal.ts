import type { ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ErrorCode, ErrorDetails, WireError } from '@silverlining/protocol';
import type { Denial } from '../../core/enrolment.ts';

/** Why a request or an upgrade gets nothing: an HTTP status and a coded error as JSON. */
export interface Refusal {
  status: number;
  error: WireError;
  /** Seconds. */
  retryAfter?: number;
}

export function refusal(status: number, code: ErrorCode, message: string, details?: ErrorDetails): Refusal {
  return { status, error: { code, message, ...(details === undefined ? {} : { details }) } };
}

/** 401 with what is wrong with the identity. */
export function identityRefusal({ reason, message }: Denial): Refusal {
  return refusal(401, 'E_IDENTITY', message, { reason });
}

/** Answers a request. */
export function refuseRequest(response: ServerResponse, it: Refusal): void {
  response.writeHead(it.status, headersOf(it)).end(bodyOf(it));
}

/** Answers an upgrade, for which there is no response object, and closes the connection. */
export function refuseUpgrade(socket: Duplex, it: Refusal): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const head = Object.entries(headersOf(it)).map(([name, value]) => `${name}: ${value}`);
  socket.once('finish', () => socket.destroy());
  socket.end([`HTTP/1.1 ${it.status} ${STATUS_CODES[it.status]}`, ...head, '', bodyOf(it)].join('\r\n'));
}

function headersOf(it: Refusal): Record<string, string | number> {
  return {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(bodyOf(it)),
    Connection: 'close',
    ...(it.retryAfter === undefined ? {} : { 'Retry-After': it.retryAfter }),
  };
}

function bodyOf(it: Refusal): string {
  return JSON.stringify(it.error);
}
