import { type ResourceOf, SlError } from '@silverlining/protocol';
import { unitSteps } from '../../core/converge/unit-state.ts';
import type { Executor } from '../../ports.ts';
import { unitAction } from '../systemd.ts';
import type { Observations } from './observations.ts';

export function unitExecutor(node: Observations): Executor<'unit'> {
  return {
    async check(wanted) {
      const unit = await find(wanted, node);
      if (unit.load === 'not-found') return wanted.enabled || wanted.running ? 'does not exist' : undefined;
      const steps = unitSteps(wanted, unit);
      if (steps.length === 0) return undefined;
      return `${unit.file || 'no unit file'}, ${unit.active} (${unit.sub}): ${steps.join(' and ')}`;
    },
    async apply(wanted) {
      const unit = await find(wanted, node);
      if (unit.load === 'not-found') {
        throw new SlError('E_RESOURCE', `there is no unit ${wanted.name}; is its package missing?`);
      }
      const steps = unitSteps(wanted, unit);
      node.forget('units');
      for (const step of steps) await unitAction(step, wanted.name, node.signal);
      return steps.includes('start') ? { settled: wanted.name } : {};
    },
  };
}

async function find(wanted: ResourceOf<'unit'>, node: Observations) {
  const unit = (await node.units()).get(wanted.name);
  if (unit === undefined) throw new SlError('E_INTERNAL', `${wanted.name} was not observed`);
  return unit;
}
