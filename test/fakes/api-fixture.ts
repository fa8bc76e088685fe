import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VERSION } from '@silverlining/protocol';
import { Operations } from '../../packages/controller/src/app/operations.ts';
import { ControllerClient } from '../../packages/controller/src/client/client.ts';
import { startApi } from '../../packages/controller/src/io/api/server.ts';
import { FakeService } from './fake-service.ts';

export interface ApiFixture {
  directory: string;
  socketPath: string;
  service: FakeService;
  operations: Operations;
  client: ControllerClient;
  defects: unknown[];
  shutdowns: number;
  /** Has it refuse requests, as a controller does that is about to stop. */
  refuse(): void;
  /** Ends the API alone, as a crash would for its clients. */
  cut(): Promise<void>;
  close(): Promise<void>;
}

/** The real API on a real socket, with a fake service behind it. */
export async function startApiFixture({
  directory: given,
  ...limits
}: {
  requestTimeout?: number;
  closeGrace?: number;
  directory?: string;
} = {}): Promise<ApiFixture> {
  const directory = given ?? (await mkdtemp(join(tmpdir(), 'sl-api-')));
  const socketPath = join(directory, 'controller.sock');
  const service = new FakeService();
  const defects: unknown[] = [];
  const operations = new Operations({
    clock: { now: () => 1_769_860_000_000 },
    ids: { token: (bytes) => randomBytes(bytes).toString('base64url') },
    onDefect: (_id, error) => defects.push(error),
  });
  const fixture: ApiFixture = {
    ...{ directory, socketPath, service, operations, defects, shutdowns: 0 },
    client: new ControllerClient(socketPath),
    refuse: () => api.refuse(),
    cut: () => api.close(),
    close: async () => {
      await operations.stop();
      await api.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
  const api = await startApi({
    ...{ service, operations, socketPath },
    logger: { info: () => undefined, error: (fields) => defects.push(fields) },
    info: async () => ({ version: VERSION, pid: process.pid, port: 7420, upSince: 1_769_860_000_000, sets: ['shop'] }),
    onShutdown: () => {
      fixture.shutdowns += 1;
    },
    ...limits,
  });
  return fixture;
}

/** Resolves when the signal is aborted: an operation that only Ctrl-C ends. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
