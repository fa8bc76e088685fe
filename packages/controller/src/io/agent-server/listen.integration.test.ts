import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { connectAgent } from '../../../../../test/fakes/agent-client.ts';
import { agentServerFixture } from '../../../../../test/fakes/agent-server-fixture.ts';

it('serves agents at every address that it was told of', async () => {
  const fixture = await agentServerFixture();
  onTestFinished(() => fixture.close());
  const { server, port } = fixture;
  const second = await server.listen({ port: 0, host: '127.0.0.1' });
  expect(second).not.toBe(port);
  for (const it of [port, second]) {
    const { node, agent } = await fixture.enrol();
    const client = await connectAgent({ port: it, agent });
    const known = new Promise<void>((resolve) => server.fleet.onHello(() => resolve()));
    client.hello();
    await known;
    expect(server.fleet.session(node.uuid)).toBeDefined();
  }
});

it('says which address cannot be had, and goes on serving at the others', async () => {
  const fixture = await agentServerFixture();
  onTestFinished(() => fixture.close());
  const taken = fixture.server.listen({ port: fixture.port, host: '127.0.0.1' });
  await expect(taken).rejects.toMatchObject({
    code: 'E_CONTROLLER',
    message: expect.stringContaining(`127.0.0.1:${fixture.port}`),
  });
  await expect(fixture.agent()).resolves.toBeDefined();
});

it('serves at every address of a port that it had on one, and keeps who came in by that', async () => {
  const fixture = await agentServerFixture();
  onTestFinished(() => fixture.close());
  const { server, port } = fixture;
  const first = await fixture.agent();
  expect(await server.listen({ port })).toBe(port);
  const second = await fixture.agent();
  for (const { node } of [first, second]) expect(server.fleet.session(node.uuid)).toBeDefined();
});

it('goes on at the one address where another program keeps it from all', async () => {
  const other = createServer().listen(0, '127.0.0.2');
  await once(other, 'listening');
  onTestFinished(() => void other.close());
  const { port } = other.address() as AddressInfo;
  const fixture = await agentServerFixture({}, { port, host: '127.0.0.1' });
  onTestFinished(() => fixture.close());
  await expect(fixture.server.listen({ port })).rejects.toMatchObject({ code: 'E_CONTROLLER' });
  await expect(fixture.agent()).resolves.toBeDefined();
});
