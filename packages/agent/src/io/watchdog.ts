import { spawn } from 'node:child_process';

/** A third of the unit's WatchdogSec: systemd waits for three that did not come. */
const INTERVAL = 60_000;

/**
 * Tells systemd's watchdog that the event loop still turns. Node cannot send datagrams to a unix socket, so
 * `systemd-notify` does, a process of a few milliseconds once a minute.
 */
export function feedWatchdog(signal: AbortSignal): void {
  if (process.env.NOTIFY_SOCKET === undefined) return;
  const feed = () => {
    const child = spawn('systemd-notify', ['WATCHDOG=1'], { stdio: 'ignore' });
    // Without the program there is no watchdog to feed either: the next beat tries again.
    child.on('error', () => undefined);
  };
  feed();
  const timer = setInterval(feed, INTERVAL);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}
