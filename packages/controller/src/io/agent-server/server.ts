/** Where agents connect: TLS 1.3 both ways, one gate, control sockets, bulk sockets, and renewal of certificates. */
import { constants } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import type { SecureContextOptions, TlsOptions } from 'node:tls';
import type { Clock, Fleet, Ids, Store } from '../../ports.ts';
import type { Certificates } from '../certificates.ts';
import type { SigningKey } from '../signing-key.ts';
import { TokenBucket } from './admission.ts';
import { ConnectedFleet } from './fleet.ts';
import { createGate } from './gate.ts';
import type { ListenOptions } from './listen.ts';
import { Listeners } from './listeners.ts';
import type { Log } from './log.ts';
import { createRequestHandler } from './renewal.ts';
import { Room } from './room.ts';
import { type AgentServerSettings, SETTINGS } from './settings.ts';
import { createUpgradeHandler } from './upgrade.ts';

export interface AgentServerOptions {
  store: Store;
  certificates: Certificates;
  signingKey: SigningKey;
  clock: Clock;
  ids: Ids;
  log: Log;
  /** How many files the process may have open; connections are files. */
  openFiles?: number;
  settings?: Partial<AgentServerSettings>;
  /** From [0, 1): jitter. */
  random?: () => number;
}

export interface AgentServer {
  readonly fleet: Fleet;
  /** Connections that it can hold. */
  readonly capacity: number;
  /** When it began to listen, milliseconds since 1970: for a minute after it an absent agent is no news. Undefined before. */
  startedAt(): number | undefined;
  /** Serves at one more address. Returns the port. */
  listen(options?: ListenOptions): Promise<number>;
  /** Ends every connection. */
  close(): Promise<void>;
}

/** Half a day: the server's certificate is renewed with months to spare. */
const CERTIFICATE_CHECK = 12 * 60 * 60 * 1000;
/** Control and bulk connections. */
const MAX_CONNECTIONS = 32_768;
/** Open files that are none of agents: the store, the log, the API's clients, archives on their way. */
const OTHER_FILES = 256;

export async function createAgentServer(options: AgentServerOptions): Promise<AgentServer> {
  const { store, certificates, clock, log } = options;
  const settings = { ...SETTINGS, ...options.settings };
  const fleet = new ConnectedFleet({ ...options, settings, random: options.random ?? Math.random });
  const gate = createGate({ store, certificates, clock });
  const bucket = new TokenBucket(settings.connectionsPerSecond, clock.monotonic());
  const most = Math.min(MAX_CONNECTIONS, (options.openFiles ?? Number.POSITIVE_INFINITY) - OTHER_FILES);
  const onRequest = createRequestHandler({ gate, certificates, log });
  const onUpgrade = createUpgradeHandler({ gate, fleet, log, admit: () => bucket.take(clock.monotonic()) });
  const makeServer = async () => {
    const server = createServer({ ...(await tlsContext(certificates)), ...HTTP_LIMITS });
    const room = new Room(server, { strangers: settings.strangers, most });
    server.on('request', onRequest);
    server.on('upgrade', (request, socket, head) => onUpgrade({ request, socket, head, room }));
    return server.on('tlsClientError', (error) => log.debug({ error: error.message }, 'a TLS handshake failed'));
  };
  const listeners = new Listeners(makeServer, (error) => log.error({ err: error }, 'agents cannot connect'));
  const renewal = setInterval(() => renewContext(listeners.servers(), certificates, log), CERTIFICATE_CHECK);
  renewal.unref();
  let startedAt: number | undefined;
  return {
    fleet,
    capacity: most,
    startedAt: () => startedAt,
    async listen(where = {}) {
      const port = await listeners.listen(where);
      startedAt ??= clock.now();
      return port;
    },
    async close() {
      clearInterval(renewal);
      await fleet.endAll();
      await listeners.close();
    },
  };
}

/** Slow or oversized handshakes and requests end early; what is upgraded has limits of its own. */
const HTTP_LIMITS = {
  handshakeTimeout: 10_000,
  headersTimeout: 10_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 8_192,
  keepAlive: true,
  keepAliveInitialDelay: 10_000,
} as const;

async function tlsContext(certificates: Certificates): Promise<TlsOptions & SecureContextOptions> {
  const { keyPem, certPem } = await certificates.server();
  return {
    key: keyPem,
    cert: certPem,
    ca: certificates.caPem,
    minVersion: 'TLSv1.3',
    // The gate decides, and can say why.
    requestCert: true,
    rejectUnauthorized: false,
    // A resumed session would carry an identity that was looked at earlier.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

function renewContext(servers: readonly Server[], certificates: Certificates, log: Log): void {
  tlsContext(certificates).then(
    (context) => {
      for (const server of servers) server.setSecureContext(context);
    },
    (error: unknown) => log.error({ err: error }, 'the certificate of the controller could not be renewed'),
  );
}
