import { Readable } from 'node:stream';
import { SlError } from '@silverlining/protocol';
import { expect, it } from 'vitest';
import { ManualClock } from '../../../../test/fakes/manual-clock.ts';
import { SendingFleet } from '../../../../test/fakes/sending-fleet.ts';
import { operation } from '../../../../test/fakes/small-set.ts';
import { nodeRecord } from '../io/store/contract-records.ts';
import { createAgentUpdates } from './agent-updates.ts';
import { SLOWEST } from './bulk.ts';

it('a node gets the time for Node that a slow link takes for all who are sent it at once', async () => {
  const SIZE = 45e6;
  const fleet = new SendingFleet();
  const deadlines: number[] = [];
  const refused = (_body: unknown, { deadline }: { deadline: number }) => {
    deadlines.push(deadline);
    throw new SlError('E_CONFLICT', 'not now');
  };
  fleet.connect('n1', { runtime: refused }, {});
  Object.assign(fleet.session('n1')?.hello.facts ?? {}, { runtime: '24.20.0' });
  const file = async () => ({ digest: 'r', size: SIZE, open: () => Readable.from([]) });
  const program = async () => ({
    bundle: { digest: 'b', open: () => Readable.from([]) },
    ...{ unit: { digest: 'u', text: 'unit' }, runtime: { version: '24.21.0', file } },
  });
  const updates = createAgentUpdates({ fleet, clock: new ManualClock(), version: '0.2.0', program });
  await updates.run(operation(), [nodeRecord('shop', 'n1')]);
  expect(deadlines[0]).toBeGreaterThan((4 * SIZE) / SLOWEST);
});
