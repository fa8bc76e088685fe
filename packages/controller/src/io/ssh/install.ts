import { createHash } from 'node:crypto';
import { SlError } from '@silverlining/protocol';
import {
  agentConfigText,
  bundlePath,
  CONFIG_PATH,
  currentLinks,
  defaultControllerUrl,
  ENROL_PATH,
  hostAndPort,
  identityPath,
  type NodeFacts,
  runtimePath,
  UNIT_PATH,
} from '../../core/bootstrap/install-plan.ts';
import type { BootstrapRequest, BootstrapResult } from '../../ports.ts';
import type { Artifact, Artifacts } from '../artifacts.ts';
import type { Runtime } from '../runtimes.ts';
import type { RemoteScript } from './remote-script.ts';

export interface InstallOptions {
  request: BootstrapRequest;
  artifacts: Artifacts;
  sign(csrPem: string, identity: { set: string; uuid: string; generation: number }): Promise<SignedIdentity>;
  /** PEM of the key that orders to the node will be signed with. */
  orderKey: string;
  serverName: string;
  port(): number;
  report: (text: string) => void;
  signal: AbortSignal;
}
export interface SignedIdentity {
  certPem: string;
  caPem: string;
  /** SHA-256 (hex) of the public key. */
  keyHash: string;
}

/** Gives the install script its orders: push what is missing, check the way back, enrol, install, start. */
export async function installAgent(
  remote: RemoteScript,
  facts: NodeFacts,
  options: InstallOptions,
): Promise<Omit<BootstrapResult, 'hostKeys'>> {
  const { request, report } = options;
  const { arch } = facts;
  if (arch === undefined)
    throw new SlError('E_SSH', `${request.name} is ${facts.machine}: only x86_64 and aarch64 run agents`);
  const controllerUrl = urlFor(facts, options);
  const [runtime, bundle, enrol] = await artifactsFor(arch, options);
  await pushPrograms(remote, facts, { runtime, bundle, enrol, report });
  await checkReachable(remote, controllerUrl, options);
  const generation = request.certGeneration;
  report('making its key and certificate');
  const csr = (await remote.order(['enrol', generation])).map((line) => line.replace(/^line /, '')).join('\n');
  const signed = await options.sign(csr, { set: request.set, uuid: request.uuid, generation });
  const putText = (path: string, mode: string, text: string) =>
    remote.order(['put', path, mode, Buffer.byteLength(text), sha256(text), 'plain'], text);
  await putText(identityPath(generation, 'cert.pem'), '600', signed.certPem);
  await putText(identityPath(generation, 'ca.pem'), '644', signed.caPem);
  await putText(identityPath(generation, 'orders.pem'), '644', options.orderKey);
  await putText(CONFIG_PATH, '600', agentConfigText(request, controllerUrl, options.serverName));
  await putText(UNIT_PATH, '644', (await options.artifacts.agentUnit()).text);
  for (const [path, target] of currentLinks({ runtime: runtime.digest, bundle: bundle.digest }, generation)) {
    await remote.order(['link', path, target]);
  }
  report('starting the agent');
  await remote.order(['start', generation, runtime.digest, bundle.digest]);
  await remote.order(['bye']);
  return { keyHash: signed.keyHash, arch, controllerUrl, formerSet: facts.set };
}

function urlFor(facts: NodeFacts, { request, port }: InstallOptions): string {
  if (request.controllerUrl !== undefined) return request.controllerUrl;
  if (facts.seen !== undefined && facts.seen !== '')
    return defaultControllerUrl(facts.seen, request.controllerPort ?? port());
  throw new SlError(
    'E_NODE_UNREACHABLE',
    `${request.name} does not say where the SSH connection comes from: set [controller] url to an address that it can reach`,
  );
}

function artifactsFor(arch: 'x64' | 'arm64', { artifacts, report, signal }: InstallOptions) {
  return Promise.all([artifacts.runtime(arch, report, signal), artifacts.agentBundle(), artifacts.enrolBundle()]);
}

interface Programs {
  runtime: Runtime;
  bundle: Artifact;
  enrol: Artifact;
  report: (text: string) => void;
}

async function pushPrograms(remote: RemoteScript, facts: NodeFacts, { runtime, bundle, enrol, report }: Programs) {
  if (!facts.has.has(runtimePath(runtime.digest))) {
    report(`sending the runtime (${Math.round(runtime.size / 1e6)} MB)`);
    const words = ['put', runtimePath(runtime.digest), '755', runtime.size, runtime.digest, 'gzip'];
    await remote.order(words, { file: runtime.path, size: runtime.size });
  }
  if (!facts.has.has(bundlePath(bundle.digest))) {
    report('sending the agent');
    const words = ['put', bundlePath(bundle.digest), '644', bundle.size, bundle.digest, 'plain'];
    await remote.order(words, { file: bundle.path, size: bundle.size });
  }
  const { path, size, digest } = enrol;
  await remote.order(['put', ENROL_PATH, '644', size, digest, 'plain'], { file: path, size });
  await remote.order(['link', '/opt/silverlining/node', `runtime/${runtime.digest}/node`]);
}

async function checkReachable(remote: RemoteScript, url: string, { request, report }: InstallOptions): Promise<void> {
  const { host, port } = hostAndPort(url);
  report(`checking that it reaches ${url}`);
  try {
    await remote.order(['reach', host, port]);
  } catch (cause) {
    const reason = /^unreachable (.*)$/.exec(cause instanceof Error ? cause.message : '')?.[1];
    if (reason === undefined) throw cause;
    throw new SlError(
      'E_NODE_UNREACHABLE',
      `${request.name} cannot reach the controller at ${url} (${reason}). Three ways out: in [controller], url = an address ` +
        'of this machine that the nodes can reach, or listen = an address and port that a firewall lets them connect to; ' +
        'or run sl on a machine that they can reach, such as one of them',
      { cause },
    );
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
