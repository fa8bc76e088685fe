import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { agentServerFixture } from '../../../../../test/fakes/agent-server-fixture.ts';
import { listenOnKeptPort } from './kept-port.ts';

let file: string;

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sl-port-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  file = join(folder, 'port');
});

async function aServer() {
  const fixture = await agentServerFixture();
  onTestFinished(() => fixture.close());
  return fixture;
}

it('is the same one at the next start', async () => {
  const first = await agentServerFixture();
  const port = await listenOnKeptPort(first.server, file, async () => false);
  await first.close();
  const second = await aServer();
  expect(await listenOnKeptPort(second.server, file, async () => true)).toBe(port);
  expect(await readFile(file, 'utf8')).toBe(`${port}\n`);
});

it('is another one where somebody has it and no agent knows it', async () => {
  const other = await aServer();
  const taken = await other.server.listen({});
  await writeFile(file, `${taken}\n`);
  const port = await listenOnKeptPort((await aServer()).server, file, async () => false);
  expect(port).not.toBe(taken);
  expect(await readFile(file, 'utf8')).toBe(`${port}\n`);
});

it('is not given up where agents know it: what has it is to be ended, or they are told another one', async () => {
  const other = await aServer();
  const taken = await other.server.listen({});
  await writeFile(file, `${taken}\n`);
  await expect(listenOnKeptPort((await aServer()).server, file, async () => true)).rejects.toMatchObject({
    code: 'E_CONTROLLER',
    message: expect.stringMatching(
      `on \\*:${taken}: .*so free it; or remove ${file}, and sl up tells them another one$`,
    ),
  });
  expect(await readFile(file, 'utf8')).toBe(`${taken}\n`);
});
