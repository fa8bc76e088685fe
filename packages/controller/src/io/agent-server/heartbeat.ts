import type { WebSocket } from 'ws';
import type { AgentServerSettings } from './settings.ts';

export interface Heartbeat {
  /** Anything came from the other end. */
  heard(): void;
  stop(): void;
}

/**
 * Pings the agent, and gives it up when it says nothing for too long. Intervals vary by a fifth, so that a fleet that
 * connected at once does not answer at once for ever.
 */
export function startHeartbeat(
  socket: WebSocket,
  options: { settings: AgentServerSettings; random(): number },
  giveUp: (reason: string) => void,
): Heartbeat {
  const { ping, silence } = options.settings;
  const silent = setTimeout(() => giveUp(`it was silent for ${silence / 1000} s`), silence);
  const beat = () => {
    if (socket.readyState === socket.OPEN) socket.ping();
  };
  const next = () => ping * (0.8 + 0.4 * options.random());
  const schedule = (): NodeJS.Timeout =>
    setTimeout(() => {
      timer = schedule();
      beat();
    }, next());
  let timer = schedule();
  const heard = () => {
    silent.refresh();
  };
  socket.on('pong', heard);
  return {
    heard,
    stop() {
      clearTimeout(silent);
      clearTimeout(timer);
      socket.off('pong', heard);
    },
  };
}
