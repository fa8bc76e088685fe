/**
 * The one catalogue of coded errors. Codes cross the wire and end up in `--json`; nobody matches text.
 * Each entry says what the code means; `docs/errors.md` documents every one (a test compares them).
 */
export const ERROR_CATALOGUE = {
  E_ABORTED: 'the operation was cancelled before anything was switched',
  E_APP_CONFIG: 'an app.ini is wrong or missing',
  E_APP_CRASHED: 'the new release exited while it was being staged',
  E_APP_UNHEALTHY: 'the new release did not answer its health path in time',
  E_BUSY: 'another deploy of the set is running',
  E_CONFIG: 'the server set file has problems',
  E_CONFLICT: 'what is asked for contradicts what exists',
  E_CONTROLLER: 'the controller could not be started or reached',
  E_DEADLINE: 'a step did not finish in the time it was given',
  E_DISK_FULL: 'a node, or the machine that packs the release, has not enough space or inodes for it',
  E_FRAME: 'a frame is not a valid message',
  E_HOSTS_FILE: 'the hosts file of this machine cannot be written',
  E_HOST_PACKAGES: 'packages that local nodes need are missing on this machine',
  E_IDENTITY: 'the certificate does not belong to an active node, or speaks for another one',
  E_INTERNAL: 'a defect in Silver Lining itself',
  E_INVALID_NAME: 'a name of a node, app, instance or set is not valid',
  E_MANIFEST: 'the files of a release do not match its manifest',
  E_NODE_DISCONNECTED: 'the agent of a node is not connected',
  E_NODE_UNREACHABLE: 'a node cannot reach the controller',
  E_NOT_CONFIRMED: 'the operation was not confirmed',
  E_NOT_FOUND: 'what is asked for does not exist',
  E_PACKAGES: 'packages could not be installed on a node',
  E_PROVIDER: 'a provider failed or refused',
  E_RESOURCE: 'a resource could not be brought to its wanted state',
  E_SERVICE: 'a service is not where an app would look for it',
  E_SIGNATURE: 'an order is not signed by the controller that the node trusts',
  E_SSH: 'a node could not be reached or set up over SSH',
  E_STALE_EPOCH: 'an order carries an epoch lower than the newest one seen',
  E_STORE: 'the store is damaged or cannot be written',
  E_SWITCH: 'a node could not switch to the committed releases',
  E_TAR_ENTRY: 'a release archive has an entry that is not allowed',
  E_TAR_TRUNCATED: 'a release archive ended early or is not an archive',
  E_TAR_TOO_LARGE: 'a release archive is larger than its manifest says',
  E_UNKNOWN_TYPE: 'a message has a type that this version does not know',
  E_UPDATE_FETCH: 'an update_fetch of the new release failed',
  E_USAGE: 'the command line is wrong',
  E_VERSION: 'controller and agent speak no common protocol version',
} as const;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

export interface ErrorDetails {
  /** Name of the node on which it happened. */
  node?: string;
  /** Last lines of the app's or the package manager's log, oldest first. */
  log?: string[];
  /** Anything else that helps whoever reads the JSON. */
  [key: string]: unknown;
}

/** An error as it crosses a socket or stands in a record. */
export interface WireError {
  code: ErrorCode;
  message: string;
  node?: string | undefined;
  details?: ErrorDetails | undefined;
}

/** An error with a code from the catalogue, a message for people, and the error that caused it. */
export class SlError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: ErrorDetails } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SlError';
    this.code = code;
    this.details = options.details ?? {};
  }

  /** The error of a wire form, with its code and details kept. */
  static fromWire(wire: WireError): SlError {
    const details = { ...wire.details, ...(wire.node === undefined ? {} : { node: wire.node }) };
    return new SlError(wire.code, wire.message, { details });
  }
}

/**
 * Any thrown value as a coded error: what a signal ended is its reason, or E_ABORTED; anything else without a code becomes E_INTERNAL.
 * The value is kept as the cause.
 */
export function toSlError(thrown: unknown): SlError {
  if (thrown instanceof SlError) return thrown;
  if (!(thrown instanceof Error)) return new SlError('E_INTERNAL', String(thrown), { cause: thrown });
  if (thrown.name !== 'AbortError') return new SlError('E_INTERNAL', thrown.message, { cause: thrown });
  return thrown.cause instanceof SlError
    ? thrown.cause
    : new SlError('E_ABORTED', 'this was cancelled', { cause: thrown });
}

/** Any thrown value in the form that crosses a socket. */
export function toWireError(thrown: unknown): WireError {
  const { code, message, details } = toSlError(thrown);
  return { code, message, ...(details.node === undefined ? {} : { node: details.node }), details };
}
