import { homedir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { describeProviderContract } from './contract.ts';
import { HostsProvider } from './hosts.ts';
import { createProvider, LocalSite } from './index.ts';

const localSite = new LocalSite({ state: '/nowhere/state', cache: '/nowhere/cache' });
const hosts = 'app1.example.internal 192.0.2.11\nbalancer 2001:db8::7 user=debian port=2222';

describeProviderContract('hosts', {
  make: async () => createProvider({ driver: 'hosts', options: { hosts } }, { localSite }),
  creates: false,
});

describe('hosts', () => {
  it('takes user, port, identity and known_hosts for all, or one by one', async () => {
    const options = { hosts, user: 'admin', identity: '~/.ssh/key', known_hosts: 'known' };
    const [app, balancer] = await new HostsProvider(options, '/srv/set').list();
    expect(app).toEqual({
      id: 'app1.example.internal',
      name: 'app1.example.internal',
      uuid: undefined,
      address: '192.0.2.11',
      state: 'running',
      ssh: {
        host: '192.0.2.11',
        port: 22,
        user: 'admin',
        identityFile: `${homedir()}/.ssh/key`,
        knownHostsFile: '/srv/set/known',
      },
    });
    expect(balancer?.ssh).toMatchObject({ host: '2001:db8::7', user: 'debian', port: 2222 });
  });

  it('takes every form of address', async () => {
    const given = ['192.0.2.1', '2001:DB8::7', '::ffff:192.0.2.2'];
    const lines = given.map((address, index) => `app${index} ${address}`);
    const nodes = await new HostsProvider({ hosts: lines.join('\n') }).list();
    expect(nodes.map((node) => node.address)).toEqual(given);
  });

  it.each(['host7.example.net', '10.0.0.1:2222', 'fe80::1%eth0', ':::', '1:2'])('takes no %s', (address) => {
    expect(() => new HostsProvider({ hosts: `app1 ${address}` })).toThrow(`the IP address "${address}" is not valid`);
  });

  it('defaults to root, whom ssh finds a key and known hosts for', async () => {
    const [app] = await new HostsProvider({ hosts }).list();
    expect(app?.ssh).toEqual({
      host: '192.0.2.11',
      port: 22,
      user: 'root',
      identityFile: undefined,
      knownHostsFile: undefined,
    });
  });

  it('reports every problem at once', () => {
    const wrong = [
      'app1',
      'App_2 192.0.2.1',
      'app3 -oProxyCommand=x',
      'app4 192.0.2.4 port=0',
      'app5 192.0.2.5 colour=red',
      'app6 192.0.2.6 identity=relative',
      'app7 192.0.2.7 user=-l',
      'app8 192.0.2.8',
      'app8 192.0.2.9',
    ];
    expect(() => new HostsProvider({ hosts: wrong.join('\n') })).toThrow(
      expect.objectContaining({
        code: 'E_CONFIG',
        details: {
          problems: [
            '"app1": a line is "name address", then user=..., port=... where they differ',
            '"App_2 192.0.2.1": the name "App_2" is not valid',
            '"app3 -oProxyCommand=x": the IP address "-oProxyCommand=x" is not valid',
            '"app4 192.0.2.4 port=0": the port "0" is not valid',
            '"app5 192.0.2.5 colour=red": "colour=red" is none of user=..., port=..., identity=..., known_hosts=...',
            '"app6 192.0.2.6 identity=relative": the path "relative" must be absolute or start with ~/',
            '"app7 192.0.2.7 user=-l": the user "-l" is not valid',
            'app8 stands twice',
          ],
        },
      }),
    );
  });

  it('needs at least one line', () => {
    expect(() => new HostsProvider({})).toThrow('hosts has no lines');
  });
});

describe('createProvider', () => {
  it('names the providers that there are', () => {
    for (const driver of ['clouds', 'constructor']) {
      expect(() => createProvider({ driver, options: {} }, { localSite })).toThrow('there are hosts, local');
    }
  });

  it('refuses an image that there is not before anything is made', () => {
    const config = { driver: 'local', options: { image: 'debian:woody' } };
    expect(() => createProvider(config, { localSite })).toThrow('there are debian:bookworm, debian:trixie');
  });
});
