import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { shareSshAgent, sshAgentPath } from './ssh-agent.ts';

let state: string;
beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'sl-agent-'));
});
afterEach(() => rm(state, { recursive: true }));

describe('the SSH agent that the daemon uses', () => {
  it('is that of the session which came last and has one', async () => {
    for (const agent of ['/tmp/ssh-1/agent', '/tmp/ssh-2/agent', '/tmp/ssh-2/agent']) {
      await shareSshAgent(state, { SSH_AUTH_SOCK: agent });
      expect(await readlink(sshAgentPath(state))).toBe(agent);
    }
    for (const env of [{}, { SSH_AUTH_SOCK: '' }, { SSH_AUTH_SOCK: sshAgentPath(state) }]) {
      await shareSshAgent(state, env);
      expect(await readlink(sshAgentPath(state))).toBe('/tmp/ssh-2/agent');
    }
    expect(await readdir(state)).toEqual(['ssh-agent.sock']);
  });

  it('is at a path that a socket may have, however long that of the state is', () => {
    for (const length of [80, 91, 92, 93, 94, 200]) {
      expect(Buffer.byteLength(sshAgentPath(`/${'d'.repeat(length)}`))).toBeLessThanOrEqual(107);
    }
    expect(sshAgentPath(`/${'d'.repeat(200)}`)).not.toBe(sshAgentPath(`/${'e'.repeat(200)}`));
  });

  it('does not keep a command from what it is about where the link cannot be made', async () => {
    await shareSshAgent(join(state, 'gone'), { SSH_AUTH_SOCK: '/tmp/ssh-1/agent' });
    expect(await readdir(state)).toEqual([]);
  });
});
