import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SlError } from '@silverlining/protocol';
import { exec, logOf } from '@silverlining/system';
import { type NodeFacts, parseFacts } from '../../core/bootstrap/install-plan.ts';
import { type HostTrust, scriptFromInput, sshArgv } from '../../core/bootstrap/ssh-argv.ts';
import { sshFailure } from '../../core/bootstrap/ssh-failure.ts';
import type { Bootstrapper, BootstrapRequest, BootstrapResult, CallRequest } from '../../ports.ts';
import type { Artifacts } from '../artifacts.ts';
import { fingerprint, prepareTrust, type TrustRequest, trustedKeys } from './host-keys.ts';
import { type InstallOptions, installAgent } from './install.ts';
import { startPatience } from './patience.ts';
import { RemoteEnded, type RemoteScript, startRemote } from './remote-script.ts';
import { sshError } from './ssh-error.ts';

export interface SshBootstrapperOptions {
  artifacts: Artifacts;
  /** Signs the request that the node made, for exactly this identity. */
  sign: InstallOptions['sign'];
  /** PEM of the key that orders are signed with; nodes learn it here and nowhere else. */
  orderKey: string;
  /** Name in the controller's certificate, which agents insist on. */
  serverName: string;
  /** The port that agents connect to when no URL is configured. */
  port(): number;
}

/** Milliseconds without a byte either way: how long it takes is a matter of the link, and of how many nodes share it. */
const PATIENCE = 5 * 60_000;
/** A node that was just created may not listen yet. */
const CONNECT_TRIES = 6;
const CONNECT_PAUSE = 2_000;
/** Main process alone: apps' commands and packages that it runs have nothing to do with it. */
const CALL = 'exec systemctl kill --kill-who=main --signal=HUP silver-agent.service';
const CALL_DEADLINE = 20_000;
const SCRIPT = new URL('../../../../../bootstrap/install.sh', import.meta.url);

type Report = (text: string) => void;

/** Puts an agent onto a node in one session of the system's ssh. Safe to run again wherever an earlier run was cut off. */
export class SshBootstrapper implements Bootstrapper {
  readonly #options: SshBootstrapperOptions;

  constructor(options: SshBootstrapperOptions) {
    this.#options = options;
  }

  async bootstrap(request: BootstrapRequest, report: Report, signal: AbortSignal): Promise<BootstrapResult> {
    const patience = startPatience(signal, PATIENCE);
    try {
      return await withTrust(request, (trust) => this.#install(request, trust, { report, ...patience }));
    } catch (error) {
      throw stopped(request, signal, patience.signal) ?? error;
    } finally {
      patience.stop();
    }
  }

  async call(node: CallRequest, signal: AbortSignal): Promise<void> {
    const ended = await withTrust({ ...node, learnHostKey: false }, (trust) =>
      exec(sshArgv(node.ssh, trust, CALL), { deadline: CALL_DEADLINE, signal, allowExit: 'any' }),
    );
    if (ended.exitCode === 0) return;
    throw new SlError('E_SSH', logOf(ended).at(-1) ?? `ssh ended with status ${ended.exitCode}`);
  }

  async #install(request: BootstrapRequest, trust: HostTrust, work: Work): Promise<BootstrapResult> {
    try {
      const { remote, facts } = await connect(request, trust, work);
      try {
        const hostKeys = await trustedKeys(trust, request.ssh);
        if (trust.kind === 'learn') work.report(`learnt its host key ${hostKeys.map(fingerprint).join(', ')}`);
        const installed = await installAgent(remote, facts, { ...this.#options, ...work, request });
        return { ...installed, hostKeys };
      } finally {
        await remote.close();
      }
    } catch (error) {
      throw await sshError(error, request, trust);
    }
  }
}

async function withTrust<R>(request: TrustRequest, work: (trust: HostTrust) => Promise<R>): Promise<R> {
  const directory = await mkdtemp(join(tmpdir(), 'sl-ssh-'));
  try {
    return await work(await prepareTrust(request, directory));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

interface Work {
  report: Report;
  signal: AbortSignal;
  moved(): void;
}

async function connect(
  request: BootstrapRequest,
  trust: HostTrust,
  { report, signal, moved }: Work,
): Promise<{ remote: RemoteScript; facts: NodeFacts }> {
  const script = await readFile(SCRIPT, 'utf8');
  const argv = sshArgv(request.ssh, trust, scriptFromInput(Buffer.byteLength(script)));
  report(`connecting to ${request.ssh.user}@${request.ssh.host}`);
  for (let attempt = 1; ; attempt++) {
    const remote = startRemote(argv, signal, { script, moved });
    try {
      return { remote, facts: parseFacts(await remote.greeting()) };
    } catch (error) {
      await remote.close();
      const retry = error instanceof RemoteEnded && sshFailure(error.stderr) === 'unreachable';
      if (!retry || attempt === CONNECT_TRIES || signal.aborted) throw error;
      report('does not answer yet');
      await sleep(CONNECT_PAUSE, undefined, { signal });
    }
  }
}

/** Cancelling shows as a killed ssh; this is what it means. */
function stopped(request: BootstrapRequest, signal: AbortSignal, limited: AbortSignal): SlError | undefined {
  const details = { node: request.name };
  if (signal.aborted) return new SlError('E_ABORTED', `setting up ${request.name} was cancelled`, { details });
  if (!limited.aborted) return undefined;
  const text = `setting up ${request.name} did not get on for ${PATIENCE / 60_000} minutes, and was given up`;
  return new SlError('E_DEADLINE', text, { details });
}
