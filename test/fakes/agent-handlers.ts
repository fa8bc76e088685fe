/** A table of the agent's handlers of which a test gives those that it asks for. */
import type { Handlers } from '../../packages/agent/src/ports.ts';
import { agentRequests, SlError } from '../../packages/protocol/src/index.ts';

export function agentHandlers(given: Partial<Handlers> = {}): Handlers {
  const refuse = async () => {
    throw new SlError('E_INTERNAL', 'not part of this test');
  };
  const all = Object.fromEntries(Object.keys(agentRequests).map((type) => [type, refuse]));
  return { ...(all as unknown as Handlers), ...given };
}
