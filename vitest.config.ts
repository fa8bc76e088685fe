import { existsSync, statfsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Memory, where there is enough of it: tests make thousands of files, and wait for no disk. */
function temporaryFolder(): Record<string, string> {
  const memory = '/dev/shm';
  if (!existsSync(memory)) return {};
  const { bavail, bsize } = statfsSync(memory);
  return bavail * bsize > 1 << 30 ? { TMPDIR: memory } : {};
}

const INTEGRATION = ['packages/*/src/**/*.integration.test.ts', 'test/*.integration.test.ts'];

const QUICK = {
  // A process for each core instead of one for each file: half of the time went into loading the same modules.
  isolate: false,
  // Room for young objects, of which tests make many: a tenth of the CPU time went into collecting them.
  execArgv: ['--max-semi-space-size=32'],
  // Node loads the modules itself, as it does in the product, instead of Vite rewriting each one.
  experimental: { viteModuleRunner: false },
  maxWorkers: availableParallelism(),
  env: temporaryFolder(),
  // No test waits for a clock; this is for machines that have other things to do.
  testTimeout: 60_000,
  hookTimeout: 60_000,
};

export default defineConfig({
  test: {
    reporters: ['default', './test/summary-reporter.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          ...QUICK,
          include: ['packages/*/src/**/*.test.ts', 'test/*.test.ts', 'test/{model,failpoints}/*.test.ts'],
          exclude: INTEGRATION,
        },
      },
      // What starts programs (`sl`, the controller, shells, npm), mounts, or has agent and controller speak TLS: half of the time of all that
      // needs no node.
      { test: { name: 'integration', ...QUICK, include: INTEGRATION } },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.e2e.ts'],
          // Real nodes on one machine: one file after the other, and time for apt.
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 900_000,
        },
      },
    ],
  },
});
