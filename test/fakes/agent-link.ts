/** The agent's own link to a running agent server, with an identity on disk. */
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { agentPaths } from '../../packages/agent/src/core/paths.ts';
import { createLink } from '../../packages/agent/src/io/link.ts';
import { SERVER_NAME } from '../../packages/controller/src/core/enrolment.ts';
import type { AgentIdentity } from './agent-identity.ts';

export interface AgentLinkOptions {
  serverName?: string;
  /** PEM of the key that the node was given; none when not given. */
  orderKey?: string;
}

export async function agentLink(
  { port }: { port: number },
  agent: AgentIdentity,
  { serverName = SERVER_NAME, orderKey }: AgentLinkOptions = {},
) {
  const root = await mkdtemp(join(tmpdir(), 'sl-link-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const paths = agentPaths(root);
  await mkdir(dirname(paths.key), { recursive: true });
  await writeFile(paths.key, agent.keyPem);
  await writeFile(paths.certificate, agent.certPem);
  await writeFile(paths.ca, agent.caPem);
  if (orderKey !== undefined) await writeFile(paths.orderKey, orderKey);
  const { set, uuid } = agent.identity;
  const config = { version: 1, set, node: 'app1', uuid, controllerUrl: `wss://127.0.0.1:${port}`, serverName } as const;
  return { paths, link: createLink(paths, config) };
}
