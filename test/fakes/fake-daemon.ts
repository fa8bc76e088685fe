/** A controller's process without servers: `node fake-daemon.ts daemon`. */
import { randomBytes } from 'node:crypto';
import { VERSION } from '@silverlining/protocol';
import { Operations } from '../../packages/controller/src/app/operations.ts';
import { startApi } from '../../packages/controller/src/io/api/server.ts';
import { ALREADY_RUNNING_STATUS, claimDaemon } from '../../packages/controller/src/io/daemon.ts';
import { findDirectories } from '../../packages/controller/src/io/directories.ts';
import { aborted } from './api-fixture.ts';
import { FakeService } from './fake-service.ts';

const version = process.env.SILVER_FAKE_VERSION ?? VERSION;
const daemon = await claimDaemon(findDirectories().state, version).catch((error: unknown) => {
  process.stderr.write(`${error}\n`);
  process.exit(ALREADY_RUNNING_STATUS);
});
if (process.env.SILVER_FAKE_FAILURE !== undefined) {
  process.stderr.write(`${process.env.SILVER_FAKE_FAILURE}\n`);
  process.exit(1);
}
const operations = new Operations({
  clock: { now: () => Date.now() },
  ids: { token: (bytes) => randomBytes(bytes).toString('base64url') },
});
const service = new FakeService();
// The set of this name keeps the controller busy until it is cancelled.
const { rollback } = service.work;
service.work.rollback = async (context, request) => {
  if ('set' in request && request.set === 'hang') await aborted(context.signal);
  return rollback(context, request);
};
const upSince = Date.now();
const api = await startApi({
  service,
  operations,
  socketPath: daemon.socketPath,
  logger: { info: () => undefined, error: () => undefined },
  info: async () => ({ version, pid: process.pid, port: 7420, upSince, sets: [] }),
  onShutdown: async () => {
    api.refuse();
    await operations.stop();
    await api.close();
    await daemon.release();
  },
});
