import { X509Certificate } from 'node:crypto';
import type { PeerCertificate } from 'node:tls';
import { SlError } from '@silverlining/protocol';
import { readFile } from '@silverlining/system';
import * as z from 'zod/mini';
import type { AgentPaths } from '../core/paths.ts';

const agentConfig = z.object({
  version: z.literal(1),
  set: z.string(),
  node: z.string(),
  uuid: z.string(),
  /** `wss://HOST:PORT`. */
  controllerUrl: z.string().check(z.regex(/^wss:\/\//)),
  /** Name that the controller's certificate must carry, whatever its address is. */
  serverName: z.string(),
});
export type AgentConfig = z.infer<typeof agentConfig>;

/** Who this node is, as the bootstrap wrote it. E_IDENTITY says what is missing. */
export async function readAgentConfig(paths: AgentPaths): Promise<AgentConfig> {
  try {
    return agentConfig.parse(JSON.parse(await readFile(paths.config, 'utf8')));
  } catch (cause) {
    throw new SlError('E_IDENTITY', `${paths.config} is missing or damaged; sl up sets the node up again`, { cause });
  }
}

/**
 * Options of a TLS client that shows the agent's certificate and trusts the set's own CA alone, for the one name that this gives to
 * controllers. The name is not sent, and compared here: Node tries each time whether it is an IPv6 address, and V8 makes 160 KB of
 * machine code of the pattern for that.
 */
export async function tlsOptions(paths: AgentPaths, config: AgentConfig) {
  const [key, cert, ca] = await Promise.all([readFile(paths.key), readFile(paths.certificate), readFile(paths.ca)]);
  const checkServerIdentity = (_address: string, { subjectaltname }: PeerCertificate) =>
    subjectaltname === `DNS:${config.serverName}`
      ? undefined
      : new Error(`the server is ${subjectaltname}, and not ${config.serverName}`);
  const trust = { ca, servername: '', checkServerIdentity, minVersion: 'TLSv1.3', rejectUnauthorized: true } as const;
  return { key, cert, ...trust };
}

export async function certificateValidity(paths: AgentPaths): Promise<{ from: number; to: number }> {
  const { validFrom, validTo } = new X509Certificate(await readFile(paths.certificate));
  return { from: Date.parse(validFrom), to: Date.parse(validTo) };
}
