import { VERSION } from '@silverlining/protocol/version';
import type { Report } from '../context.ts';

export function version(): Report {
  return {
    json: { version: VERSION, node: process.versions.node },
    lines: [`silverlining ${VERSION} (Node ${process.versions.node})`],
  };
}
