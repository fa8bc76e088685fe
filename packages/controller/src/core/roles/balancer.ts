/** A balancer: HAProxy in front of the set's app servers. */
import { MAX_REQUESTS } from './appserver.ts';
import type { RoleContext, RoleParts, RoleTrace } from './context.ts';
import { BALANCER_MAP, haproxyText } from './haproxy-config.ts';
import { HOLD_MAP, HOLD_MAP_TEXT, HOLD_SCRIPT, HOLD_SCRIPT_TEXT } from './haproxy-hold.ts';

const UNIT = 'haproxy.service';
const CONFIG = '/etc/haproxy/haproxy.cfg';
const RELOAD = [{ unit: UNIT, action: 'reload' as const, check: ['haproxy', '-c', '-f', CONFIG] }];
/** HAProxy's own configuration is there without the role, too. The map goes: it would be outdated should the role come back. */
export const BALANCER_TRACE: RoleTrace = { unit: UNIT, mark: BALANCER_MAP };

export function balancer({ topology, ipv6 }: RoleContext): RoleParts {
  return {
    packages: ['haproxy'],
    resources: [
      { type: 'directory', path: '/etc/haproxy/silverlining' },
      // From then on it is the agent's: what is active is none of the role's business.
      { type: 'file', path: BALANCER_MAP, content: '', once: true },
      { type: 'file', path: HOLD_MAP, content: HOLD_MAP_TEXT },
      { type: 'file', path: HOLD_SCRIPT, content: HOLD_SCRIPT_TEXT },
      {
        type: 'file',
        path: CONFIG,
        content: haproxyText({ topology, maxRequests: MAX_REQUESTS, ipv6 }),
        notify: RELOAD,
      },
      { type: 'unit', name: UNIT, enabled: true, running: true },
    ],
    openings: [{ port: 80, from: 'anywhere' }],
    watch: [UNIT],
  };
}
