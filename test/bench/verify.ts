/** Whether every node has, and serves, what was deployed: a tool that is quick and wrong has not done it. */
import { request } from 'node:http';
import { exec } from '@silverlining/system';
import { type Probe, sha256 } from './apps.ts';
import type { Contender } from './contender.ts';
import type { Fleet } from './fleet.ts';

/** Capistrano adds a file of its own to each release. */
const DIGEST =
  "find . -type f ! -name REVISION -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 -r sha256sum | sha256sum | cut -d ' ' -f 1";

/** One digest of all files of a folder, names included. */
export async function folderDigest(dir: string): Promise<string> {
  return (await exec(['sh', '-c', DIGEST], { cwd: dir, deadline: 300_000 })).stdout.trim();
}

export interface Expected {
  probe: Probe;
  /** Of the folder that was deployed. */
  digest: string;
}

/** Throws an error that names the nodes that do not have it. */
export async function verify(
  contender: Contender,
  fleet: Fleet,
  expected: Expected,
  signal: AbortSignal,
): Promise<void> {
  const digests = await fleet.shell(`${contender.enter} && ${DIGEST}`, signal);
  const answers = await Promise.all(
    fleet.nodes.map(({ address }) => fetchRange(address, contender.host, expected.probe)),
  );
  const wrong = fleet.nodes.flatMap(({ name }, i) => [
    ...(digests[i]?.trim() === expected.digest ? [] : [`${name} has other files on disk`]),
    ...(answers[i] === expected.probe.sha256 ? [] : [`${name} does not serve ${expected.probe.path}: ${answers[i]}`]),
  ]);
  if (wrong.length > 0) throw new Error(`${contender.title}: ${wrong.join('; ')}`);
}

/** SHA-256 of the part of the file that the node serves; else what it answered. */
export function fetchRange(address: string, host: string, { path, range }: Probe): Promise<string> {
  const headers = { Host: host, Range: `bytes=${range[0]}-${range[1]}` };
  return new Promise((resolve, reject) => {
    const asked = request({ host: address, path, headers, agent: false, timeout: 30_000 }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () =>
        resolve(answer.statusCode === 206 ? sha256(Buffer.concat(chunks)) : `status ${answer.statusCode}`),
      );
    });
    asked.on('timeout', () => asked.destroy(new Error(`no answer from ${address}`)));
    asked.on('error', reject);
    asked.end();
  });
}
