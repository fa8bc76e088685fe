/** Programs that tests put in the place of the machine's. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, vi } from 'vitest';

/** First on the PATH for each test of a file that calls `useCommands`, and gone after it. */
export const commands = {
  folder: '',
  async put(name: string, script: string): Promise<void> {
    const path = join(commands.folder, name);
    await writeFile(path, `#!/bin/sh\n${script}\n`);
    await chmod(path, 0o755);
  },
};

/** To be called once in a file, before its tests. */
export function useCommands(): void {
  beforeEach(async () => {
    commands.folder = await mkdtemp(join(tmpdir(), 'sl-commands-'));
    vi.stubEnv('PATH', `${commands.folder}:${process.env.PATH}`);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(commands.folder, { recursive: true });
  });
}
