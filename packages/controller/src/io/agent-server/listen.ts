import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { SlError } from '@silverlining/protocol';

export interface ListenOptions {
  /** Exactly this port; the first free one from 7420 on when not given, any free one for 0. */
  port?: number | undefined;
  /** Every address, IPv6 and IPv4, when not given. */
  host?: string | undefined;
}

const FIRST_PORT = 7420;
const TRIES = 100;

/** Starts to listen and returns the port. E_CONTROLLER when the address or port cannot be had. */
export async function listen(server: Server, { port, host }: ListenOptions): Promise<number> {
  const ports = port === undefined ? Array.from({ length: TRIES }, (_, i) => FIRST_PORT + i) : [port];
  let cause: unknown;
  for (const it of ports) {
    try {
      return await (host === undefined ? listenEverywhere(server, it) : listenOn(server, it, host));
    } catch (error) {
      cause = error;
      if (!hasCode(error, 'EADDRINUSE')) break;
    }
  }
  const where = `${host ?? '*'}:${port ?? `${FIRST_PORT}-${FIRST_PORT + TRIES - 1}`}`;
  const why = cause instanceof Error ? cause.message : String(cause);
  throw new SlError('E_CONTROLLER', `the controller cannot listen for agents on ${where}: ${why}`, { cause });
}

/** IPv6 takes IPv4 in as well; IPv4 alone is for machines without IPv6. */
async function listenEverywhere(server: Server, port: number): Promise<number> {
  try {
    return await listenOn(server, port, '::');
  } catch (error) {
    if (!hasCode(error, 'EAFNOSUPPORT', 'EADDRNOTAVAIL')) throw error;
    return listenOn(server, port, '0.0.0.0');
  }
}

function listenOn(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host }, () => {
      server.off('error', reject);
      const address = server.address();
      resolve(isAddress(address) ? address.port : port);
    });
  });
}

function isAddress(address: AddressInfo | string | null): address is AddressInfo {
  return typeof address === 'object' && address !== null;
}

function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
