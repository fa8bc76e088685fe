import { dirname } from 'node:path';
import { rm, syncPath } from '@silverlining/system';
import type { Executor } from '../../ports.ts';
import { lookAt } from './attributes.ts';
import type { Observations } from './observations.ts';
import type { UnitControl } from './originals.ts';

export function formerUnitExecutor(node: Observations, units: Pick<UnitControl, 'end'>): Executor<'former-unit'> {
  return {
    // A look at one path: most nodes never had the role, and ask systemd nothing for it.
    async check(wanted) {
      return lookAt(node.root + wanted.mark) === undefined
        ? undefined
        : 'of a role that this node does not have any more';
    },
    async apply(wanted) {
      node.forget('units');
      await units.end([wanted.name]);
      // Last, so that a run that is cut off before is repeated.
      const mark = node.root + wanted.mark;
      await rm(mark, { force: true });
      await syncPath(dirname(mark));
      return { settled: wanted.name };
    },
  };
}
