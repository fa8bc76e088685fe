import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { SlError } from '@silverlining/protocol';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { apiSocketPath } from '../io/api-socket.ts';
import { ControllerClient } from './client.ts';
import { findController, stopController } from './daemon-process.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sl-find-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true });
});

describe('who looks for the controller', () => {
  it('does not connect to a socket that another user may have made', async () => {
    vi.stubEnv('XDG_RUNTIME_DIR', directory);
    const state = join(directory, 'd'.repeat(108));
    const socketPath = apiSocketPath(state);
    await mkdir(dirname(socketPath));
    await chmod(dirname(socketPath), 0o777);
    const heard = vi.fn();
    const server = createServer((socket) => {
      heard();
      socket.destroy();
    }).listen(socketPath);
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    await expect(findController(state)).rejects.toMatchObject({
      code: 'E_CONTROLLER',
      message: expect.stringContaining(dirname(socketPath)),
    });
    expect(heard).not.toHaveBeenCalled();
  });

  it('is told that it is another user’s, also when it is to be stopped by force', async () => {
    const denied = new SlError('E_CONTROLLER', 'no controller', { details: { reason: 'EACCES' } });
    const info = vi.spyOn(ControllerClient.prototype, 'info').mockRejectedValue(denied);
    onTestFinished(() => info.mockRestore());
    const refused = { code: 'E_CONTROLLER', message: expect.stringMatching(/another user.*sudo chown -R/) };
    await expect(findController(directory)).rejects.toMatchObject(refused);
    await expect(stopController(directory, { force: true })).rejects.toMatchObject(refused);
  });
});
