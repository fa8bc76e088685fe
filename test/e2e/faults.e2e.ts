/** Faults under load, all on one set: to bring that up takes longer than most of them. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { describeAgentFaults } from './faults-agent.ts';
import { describeControllerFaults } from './faults-controller.ts';
import { describeHandOverFaults } from './faults-hand-over.ts';
import { describeImageFaults } from './faults-image.ts';
import { describeNodeFaults } from './faults-node.ts';
import { FaultSet } from './support/fault-set.ts';

let set: FaultSet;

beforeAll(async () => {
  set = await FaultSet.up('faults');
});

afterEach(() => set.disarm());
afterAll(() => set?.down());

describe.each([
  [
    'the controller',
    (given: () => FaultSet) => {
      describeControllerFaults(given);
      describeHandOverFaults(given);
    },
  ],
  ['agents', describeAgentFaults],
  ['images', describeImageFaults],
  // The last ones: they set clocks wrong, and the names of releases begin with their times.
  ['nodes', describeNodeFaults],
])('faults of %s', (_what, describeFaults) => {
  describeFaults(() => set);

  it('leave nothing of what was given up on any node', async () => {
    expect(set.gone.length).toBeGreaterThan(0);
    await set.expectNothingLeft();
  });
});
