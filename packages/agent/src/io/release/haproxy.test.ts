import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBalancer } from './haproxy.ts';

/** HAProxy's runtime API as far as maps go: versions, payloads, and an answer that ends the connection. */
class FakeHaproxy {
  committed = new Map<string, string>();
  readonly commands: string[] = [];
  /** Commands that it refuses. */
  refuse: RegExp | undefined;
  readonly #prepared = new Map<number, Map<string, string>>();

  listen(path: string): Promise<Server> {
    const server = createServer((socket) => {
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk;
        const whole = text.includes('<<\n') ? text.endsWith('\n\n') : text.endsWith('\n');
        if (whole) socket.end(`${this.#answer(text.trimEnd())}\n`);
      });
    });
    return new Promise((resolve) => server.listen(path, () => resolve(server)));
  }

  #answer(text: string): string {
    const [command = '', ...lines] = text.split('\n');
    this.commands.push(command);
    if (this.refuse?.test(command)) return 'Out of memory error.\n';
    const version = Number(/@(\d+)/.exec(command)?.[1]);
    if (command.startsWith('prepare map')) {
      this.#prepared.set(this.#prepared.size + 1, new Map());
      return `New version created: ${this.#prepared.size}\n`;
    }
    if (command.startsWith('add map')) {
      for (const [key = '', value = ''] of lines.map((line) => line.split(' ')))
        this.#prepared.get(version)?.set(key, value);
    }
    if (command.startsWith('commit map')) this.committed = this.#prepared.get(version) ?? new Map();
    if (!command.startsWith('show map')) return '';
    return [...this.committed].map(([key, value]) => `0x1 ${key} ${value}\n`).join('');
  }
}

let folder: string;
let haproxy: FakeHaproxy;
let server: Server;
/** What happens each time that HAProxy is found to be loading its configuration. */
let reloads: (() => void)[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sl-haproxy-'));
  haproxy = new FakeHaproxy();
  reloads = [];
  server = await haproxy.listen(join(folder, 'sock'));
});
afterEach(async () => {
  server.close();
  await rm(folder, { recursive: true });
});
const balancer = ({ socket = 'sock', patience = 5_000 } = {}) =>
  openBalancer({
    paths: {
      balancerMap: join(folder, 'active.map'),
      holdMap: join(folder, 'hold.map'),
      balancerSocket: join(folder, socket),
    },
    isReloading: async () => {
      const next = reloads.shift();
      next?.();
      return next !== undefined;
    },
    patience,
  });

describe('the balancer', () => {
  it('gets the map as a file and in one transaction, and is asked whether it has it', async () => {
    await (await balancer()).apply({ blog: 'blog.2', shop: 'shop.1' });
    expect(await readFile(join(folder, 'active.map'), 'utf8')).toBe('blog blog.2\nshop shop.1\n');
    expect([...haproxy.committed]).toEqual([
      ['blog', 'blog.2'],
      ['shop', 'shop.1'],
    ]);
    expect(haproxy.commands.map((command) => command.split(' ')[0])).toEqual([
      'show',
      'prepare',
      'add',
      'commit',
      'show',
    ]);
  });

  it('is left alone when it has the map already', async () => {
    haproxy.committed = new Map([['blog', 'blog.2']]);
    await (await balancer()).apply({ blog: 'blog.2' });
    expect(haproxy.commands.filter((command) => !command.startsWith('show'))).toEqual([]);
  });

  it('keeps serving the old map when it refuses a part of the new one', async () => {
    haproxy.committed = new Map([['blog', 'blog.1']]);
    haproxy.refuse = /^add/;
    await expect((await balancer()).apply({ blog: 'blog.2' })).rejects.toMatchObject({
      code: 'E_SWITCH',
      message: expect.stringContaining('Out of memory'),
    });
    expect([...haproxy.committed]).toEqual([['blog', 'blog.1']]);
  });

  it('is waited for while it takes its new configuration', async () => {
    const applied = (await balancer({ socket: 'later' })).apply({ blog: 'blog.2' });
    await setTimeout(20);
    const later = await haproxy.listen(join(folder, 'later'));
    await applied;
    later.close();
    expect(haproxy.committed.get('blog')).toBe('blog.2');
  });

  it('has the map, too, when it was just loading an older one', async () => {
    const takeOver = () => {
      haproxy.committed = new Map([['blog', 'blog.1']]);
    };
    reloads = [() => undefined, () => undefined, takeOver];
    await (await balancer()).apply({ blog: 'blog.2' });
    expect(haproxy.committed.get('blog')).toBe('blog.2');
  });

  it('is asked whether it goes by another map', async () => {
    haproxy.committed = new Map([['blog', 'blog.1']]);
    const port = await balancer();
    expect([await port.differs({ blog: 'blog.1' }), await port.differs({ blog: 'blog.2' })]).toEqual([false, true]);
    expect(await (await balancer({ socket: 'nobody' })).differs({ blog: 'blog.2' })).toBe(false);
  });

  it('is reported as down, with the file written for when it comes back', async () => {
    await expect((await balancer({ socket: 'nobody', patience: 60 })).apply({ blog: 'blog.2' })).rejects.toMatchObject({
      code: 'E_SWITCH',
      message: expect.stringContaining('HAProxy does not run'),
    });
    expect(await readFile(join(folder, 'active.map'), 'utf8')).toBe('blog blog.2\n');
  });
});
