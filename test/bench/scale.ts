/**
 * `npm run bench:scale -- --agents 10000`: so many connected agents on one controller. The controller is the real daemon; the
 * agents are simulated, with certificates, TLS and messages as real ones have them, but without nodes.
 */
import { parseArgs } from 'node:util';
import { measure } from './scale/measure.ts';
import { writeTable } from './scale/table.ts';

const { values } = parseArgs({
  options: {
    agents: { type: 'string', default: '1000' },
    /** Seconds over which the controller's CPU at rest is measured. */
    rest: { type: 'string', default: '60' },
    /** Directory for CPU profiles of the controller. */
    profile: { type: 'string' },
    /** Keeps the figures in docs/benchmarks.md. */
    write: { type: 'boolean', default: false },
  },
});
const agents = Number(values.agents);
if (!Number.isInteger(agents) || agents < 2 || agents > 20_000)
  throw new Error('--agents must be a number from 2 to 20000');
const say = (text: string) => process.stderr.write(`${text}\n`);
const figures = await measure({ agents, rest: Number(values.rest), profile: values.profile, say });
process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`);
if (values.write) await writeTable(figures);
