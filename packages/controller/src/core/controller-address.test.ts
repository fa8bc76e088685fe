import { describe, expect, it } from 'vitest';
import { advertised, agentPorts, isControllerUrl, parseListen } from './controller-address.ts';

describe('listen', () => {
  it.each([
    ['7420', undefined, 7420],
    [':7420', undefined, 7420],
    ['*:7420', undefined, 7420],
    ['0.0.0.0:80', undefined, 80],
    ['[::]:80', undefined, 80],
    ['10.0.0.1:7420', '10.0.0.1', 7420],
    ['vpn.example.com:65535', 'vpn.example.com', 65535],
    ['[fd00::1]:7420', 'fd00::1', 7420],
  ])('%s', (text, host, port) => {
    expect(parseListen(text)).toEqual({ host, port });
  });

  it.each(['', '0', '65536', 'eth0!', '10.0.0.1', 'fd00::1:7420', '-o:22', '10.0.0.1:', 'wss://a:1'])(
    'is not %j',
    (text) => {
      expect(parseListen(text)).toBeUndefined();
    },
  );
});

describe('url', () => {
  it.each([
    ['wss://vpn.example.com:7420', true],
    ['wss://[fd00::1]:7420/', true],
    ['wss://vpn.example.com', false],
    ['https://vpn.example.com:7420', false],
    ['wss://vpn.example.com:70000', false],
    ['wss://vpn.example.com:7420/agent', false],
    ['wss://-x:7420', false],
  ])('%s: %s', (text, expected) => {
    expect(isControllerUrl(text)).toBe(expected);
  });
});

describe('what agents are told', () => {
  it.each([
    [{}, { url: undefined, port: undefined }],
    [{ listen: '8443' }, { url: undefined, port: 8443 }],
    [{ listen: '10.0.0.1:8443' }, { url: 'wss://10.0.0.1:8443', port: 8443 }],
    [{ listen: '[fd00::1]:8443' }, { url: 'wss://[fd00::1]:8443', port: 8443 }],
    [
      { url: 'wss://a:1', listen: '10.0.0.1:8443' },
      { url: 'wss://a:1', port: 8443 },
    ],
  ])('with %j', (controller, expected) => {
    expect(advertised(controller)).toEqual(expected);
  });
});

describe('the ports that agents come to', () => {
  it('are those of the controller and of all sets, each once', () => {
    const sets = [{ listen: '443' }, {}, { listen: '10.0.0.1:8443' }, { listen: '*:443' }, { url: 'wss://a:1' }];
    expect(
      agentPorts(
        'wss://*:7420',
        sets.map((controller) => ({ controller })),
      ),
    ).toEqual([443, 7420, 8443]);
  });
});
