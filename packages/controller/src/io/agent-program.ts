import { createReadStream } from 'node:fs';
import { SlError } from '@silverlining/protocol';
import type { AgentProgram } from '../ports.ts';
import type { Artifacts } from './artifacts.ts';
import { RUNTIME_VERSION } from './runtimes.ts';

/** The agent of this controller, out of the same files that the bootstrap takes. */
export async function agentProgram(artifacts: Artifacts): Promise<AgentProgram> {
  const bundle = await artifacts.agentBundle();
  return {
    bundle: { digest: bundle.digest, open: () => createReadStream(bundle.path) },
    unit: await artifacts.agentUnit(),
    runtime: {
      version: RUNTIME_VERSION,
      async file(arch, report, signal) {
        if (arch !== 'x64' && arch !== 'arm64') throw new SlError('E_CONFLICT', `there is no Node for ${arch}`);
        const { digest, size, path } = await artifacts.runtime(arch, report, signal);
        return { digest, size, open: () => createReadStream(path) };
      },
    },
  };
}
