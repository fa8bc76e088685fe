/** What this version can do. A new driver, service or platform adds its line here. */
import type { Known } from './schema.ts';

export const KNOWN: Known = {
  drivers: {
    local: { options: { image: { type: 'line' } } },
    hosts: {
      options: {
        hosts: { type: 'lines', required: true },
        user: { type: 'line' },
        port: { type: 'integer', min: 1, max: 65535 },
        identity: { type: 'path' },
        known_hosts: { type: 'path' },
      },
    },
  },
  services: {
    mysql: { options: {}, maxNodes: 1 },
  },
  platforms: ['node', 'python', 'static', 'command'],
};
