import { type ErrorCode, SlError, toSlError, toWireError, type WireError } from '@silverlining/protocol';

/** HTTP statuses of coded errors; what is not listed is 500. Clients go by the code in the body. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  E_USAGE: 400,
  E_FRAME: 400,
  E_CONFIG: 400,
  E_INVALID_NAME: 400,
  E_NOT_FOUND: 404,
  E_BUSY: 409,
  E_CONFLICT: 409,
  E_DEADLINE: 504,
};

export interface HttpError {
  status: number;
  body: { error: WireError };
}

/** Any thrown value as an answer; the HTTP layer's own errors (413, 415, 408, bad JSON) keep their status. */
export function httpError(thrown: unknown): HttpError {
  const status = statusOf(thrown);
  if (thrown instanceof SlError || status === undefined || status >= 500) {
    return { status: STATUS[toSlError(thrown).code] ?? 500, body: { error: toWireError(thrown) } };
  }
  const message = thrown instanceof Error ? thrown.message : 'the request is not valid';
  return { status, body: { error: toWireError(new SlError('E_USAGE', message, { details: { status } })) } };
}

function statusOf(thrown: unknown): number | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('statusCode' in thrown)) return undefined;
  return typeof thrown.statusCode === 'number' ? thrown.statusCode : undefined;
}
