/** Whose orders an agent takes. */
import type { AgentSession } from '../ports.ts';
import type { ControllerDeps } from './deps.ts';

/**
 * Whether the node was given this controller's signing key. One that was not is set up again over SSH, which is the one way on
 * which nobody who only speaks for the controller can send it another.
 */
export function takesOrders({ orderKey }: Pick<ControllerDeps, 'orderKey'>, { hello }: AgentSession): boolean {
  return hello.trust?.key === orderKey;
}
