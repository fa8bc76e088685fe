/** What this version can do. A new driver, service or platform adds its line here. */
import { LOCAL_IMAGES, suiteOf } from '../local-images.ts';
import { isUserName } from './host-line.ts';
import { quote } from './problem.ts';
import type { Known } from './schema.ts';

export const KNOWN: Known = {
  drivers: {
    local: { options: { image: { type: 'line', problem: imageProblem } } },
    hosts: {
      options: {
        hosts: { type: 'lines', required: true },
        user: { type: 'line', problem: userProblem },
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

function imageProblem(image: string): string | undefined {
  if (suiteOf(image) !== undefined) return undefined;
  return `must be one of ${LOCAL_IMAGES.map((it) => it.id).join(', ')}, not ${quote(image)}`;
}

function userProblem(user: string): string | undefined {
  return isUserName(user) ? undefined : `must be lower case letters, digits, - and _, not ${quote(user)}`;
}
