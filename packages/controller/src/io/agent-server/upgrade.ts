import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { MAX_CONTROL_FRAME } from '@silverlining/protocol';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ConnectedFleet } from './fleet.ts';
import type { Gate, Guest } from './gate.ts';
import type { Log } from './log.ts';
import { identityRefusal, type Refusal, refusal, refuseUpgrade } from './refusal.ts';
import type { Room } from './room.ts';

export interface UpgradeHandlerDeps {
  gate: Gate;
  fleet: ConnectedFleet;
  log: Log;
  /** Whether one more control connection may come in now. */
  admit(): boolean;
}

/** A connection that wants to become a WebSocket, and the room of the server that it came to. */
export interface Upgrade {
  request: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  room: Pick<Room, 'letIn'>;
}

const MAX_TRANSFER_FRAME = 4 << 20;
/** Milliseconds for the other end to answer a close. */
const CLOSE_TIMEOUT = 2_000;
const COMMON = {
  noServer: true,
  perMessageDeflate: false,
  clientTracking: false,
  closeTimeout: CLOSE_TIMEOUT,
} as const;
const TRANSFER = '/v1/transfer/';

/** What happens with an open socket, or why it is not opened. */
type Decision = { sockets: WebSocketServer; use(socket: WebSocket): void } | Refusal;

/** Upgrades to WebSockets: `/v1/agent` for control, `/v1/transfer/ID` for bulk. */
export function createUpgradeHandler(deps: UpgradeHandlerDeps) {
  const control = new WebSocketServer({ ...COMMON, maxPayload: MAX_CONTROL_FRAME, maxFragments: 1024 });
  const bulk = new WebSocketServer({ ...COMMON, maxPayload: MAX_TRANSFER_FRAME });
  const decide = (path: string, guest: Guest, from: string): Decision => {
    if (path === '/v1/agent') return decideControl(deps, control, guest, from);
    if (path.startsWith(TRANSFER)) return decideTransfer(deps, bulk, guest, path.slice(TRANSFER.length));
    return refusal(404, 'E_NOT_FOUND', 'there is nothing here');
  };
  const upgrade = async ({ request, socket, head, room }: Upgrade) => {
    const guest = await deps.gate(socket, 'connect');
    const from = plainAddress(request.socket);
    const decision = 'reason' in guest ? identityRefusal(guest) : decide(request.url ?? '', guest, from);
    if (!('status' in decision)) {
      room.letIn(socket);
      if (decision.sockets === bulk) writeEachAlone(socket);
      return decision.sockets.handleUpgrade(request, socket, head, decision.use);
    }
    deps.log.warn({ from, path: request.url, ...decision.error }, 'a connection was refused');
    refuseUpgrade(socket, decision);
  };
  return (it: Upgrade): void => {
    const { socket } = it;
    // Until a WebSocket takes it over, an error of the connection is nobody's.
    const ignore = () => undefined;
    socket.on('error', ignore);
    upgrade(it).catch((error: unknown) => {
      deps.log.error({ err: error }, 'an upgrade failed');
      refuseUpgrade(socket, refusal(500, 'E_INTERNAL', 'the controller could not answer; its log says why'));
    });
  };
}

/**
 * A frame's head and its content are two writes, which Node's TLS would join: it copies both into new memory, for each frame of a
 * release, a third of what sending it costs. A head by itself is one small record more, and tells an agent where a frame begins.
 */
function writeEachAlone(socket: Duplex): void {
  Object.assign(socket, { _writev: null });
}

function decideControl(
  { fleet, admit }: UpgradeHandlerDeps,
  sockets: WebSocketServer,
  { node }: Guest,
  from: string,
): Decision {
  if (fleet.isHeld(node)) {
    const text = `two agents claim to be ${node.name}; both are held back for some minutes. sl up enrols the right one again`;
    return { ...refusal(409, 'E_CONFLICT', text), retryAfter: 60 };
  }
  if (!admit()) return { ...refusal(503, 'E_CONTROLLER', 'too many agents connect at once; try again'), retryAfter: 1 };
  return { sockets, use: (socket) => fleet.accept(socket, node, from) };
}

function decideTransfer(
  { fleet }: UpgradeHandlerDeps,
  sockets: WebSocketServer,
  { node }: Guest,
  id: string,
): Decision {
  const claimed = fleet.transfers.claim(id, node.uuid);
  if (claimed === 'unknown') return refusal(404, 'E_NOT_FOUND', 'no such transfer is expected, or not any more');
  if (claimed === 'foreign') return refusal(403, 'E_IDENTITY', 'the transfer is expected from another node');
  return { sockets, use: claimed };
}

/** An IPv4 address that came in over an IPv6 socket, as people write it. */
function plainAddress(socket: Socket): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
}
