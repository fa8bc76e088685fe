import type { HealthReport } from '@silverlining/protocol';
import type { NodeProbe, Releases, StateFile } from '../ports.ts';

export interface HealthReporter {
  report(signal: AbortSignal): Promise<HealthReport>;
  /** Replaces the units whose state belongs to the report. */
  watch(units: readonly string[]): Promise<void>;
}

export interface HealthDependencies {
  probe: NodeProbe;
  releases: Releases;
  /** The watched units: durable, so that a restarted agent reports them before it is told again. */
  watched: StateFile<string[]>;
  generation(): number;
}

/** Puts together what the node, its units and its apps say. */
export function createHealth({ probe, releases, watched, generation }: HealthDependencies): HealthReporter {
  return {
    async report(signal) {
      const [measured, apps, instances] = await Promise.all([
        watched.read().then((units) => probe.measure(units, signal)),
        releases.appHealth(signal),
        releases.instances(),
      ]);
      const epochs = { epoch: releases.epoch(), heardEpoch: releases.heardEpoch() };
      return { ...measured, apps, instances, active: releases.active(), ...epochs, generation: generation() };
    },
    async watch(units) {
      const before = await watched.read();
      if (before.join('\n') !== units.join('\n')) await watched.write([...units]);
    },
  };
}
