import type { IncomingMessage, ServerResponse } from 'node:http';
import type { renewReply } from '@silverlining/protocol';
import type * as z from 'zod/mini';
import type { Certificates } from '../certificates.ts';
import type { Gate } from './gate.ts';
import type { Log } from './log.ts';
import { identityRefusal, refusal, refuseRequest } from './refusal.ts';

export interface RequestHandlerDeps {
  gate: Gate;
  certificates: Certificates;
  log: Log;
}

/** Plain requests of agents: `POST /v1/renew`. Nobody learns what else there is without an identity. */
export function createRequestHandler(deps: RequestHandlerDeps): (req: IncomingMessage, res: ServerResponse) => void {
  return (request, response) => {
    // No request of ours has a body that matters; an unread one would hold the connection.
    request.resume();
    answer(deps, request, response).catch((error: unknown) => {
      deps.log.error({ err: error }, 'a request of an agent failed');
      refuseRequest(response, refusal(500, 'E_INTERNAL', 'the controller could not answer; its log says why'));
    });
  };
}

async function answer(
  { gate, certificates, log }: RequestHandlerDeps,
  request: IncomingMessage,
  response: ServerResponse,
) {
  const isRenewal = request.method === 'POST' && request.url === '/v1/renew';
  const guest = await gate(request.socket, isRenewal ? 'renew' : 'connect');
  if ('reason' in guest) return refuseRequest(response, identityRefusal(guest));
  if (!isRenewal) return refuseRequest(response, refusal(404, 'E_NOT_FOUND', 'there is nothing here'));
  const { certPem } = await certificates.renew(guest.publicKey, guest.identity);
  log.info({ node: guest.node.name, set: guest.node.set }, 'certificate renewed');
  const reply: z.infer<typeof renewReply> = { certificate: certPem };
  response.writeHead(200, { 'Content-Type': 'application/json', Connection: 'close' }).end(JSON.stringify(reply));
}
