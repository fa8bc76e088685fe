import { appUser, type InstanceSpec, SlError, toSlError } from '@silverlining/protocol';
import { instanceEnv, matchPath, requestPath } from '../../core/release/instance-env.ts';
import { hasProcess, instanceUnitText } from '../../core/release/instance-unit.ts';
import type { InstanceJournal } from '../../core/release/journal.ts';
import { crashOf } from '../../core/release/unit-status.ts';
import type { RequestContext } from '../../ports.ts';
import type { ReleaseState } from './state.ts';

/** Lines of an app's log that go into an error: gunicorn ends with two tracebacks, of which the first has the cause. */
const LOG_LINES = 60;
/** Milliseconds between questions: each one adds a quarter, so that no start is noticed much later than it happened. */
const FIRST_DELAY = 20;
const DELAY_GROWTH = 1.25;
const MAX_DELAY = 250;
/** A question takes this long at most, so that an app that hangs does not hide that it exits. */
const ASK_TIMEOUT = 5_000;
/** Asking systemd costs a process, so it is asked only when the run that was begun seems to be over. */
const CRASH_CHECK_INTERVAL = 250;
const SCRIPT_TIMEOUT = 600_000;

/** Debian packages that a platform needs beyond those of the app server's role. */
const PLATFORM_PACKAGES: Partial<Record<InstanceSpec['platform'], string[]>> = { asgi: ['python3-uvicorn'] };

/** Makes user, folders, environment, packages and unit, and runs the app's install scripts. */
export async function prepare(
  state: ReleaseState,
  spec: InstanceSpec,
  port: number,
  context: Pick<RequestContext, 'signal' | 'progress'>,
): Promise<void> {
  const { places, installPackages } = state.ports;
  const paths = state.pathsOf(spec.app, spec.instance);
  const env = instanceEnv(spec, paths, port);
  const user = appUser(spec.app);
  await places.ensureFolders({ temp: paths.temp, logs: paths.logs, user });
  const packages = packagesOf(spec);
  if (packages.length > 0) await installPackages(packages, context.signal);
  const script = { cwd: paths.app, env, timeout: SCRIPT_TIMEOUT };
  if (spec.packageInstallScript !== undefined) {
    await runScript(state, spec.packageInstallScript, { ...script, user: 'root', code: 'E_PACKAGES' }, context);
  }
  if (spec.afterInstallScript !== undefined) {
    await runScript(state, spec.afterInstallScript, { ...script, user, code: 'E_APP_CONFIG' }, context);
  }
  await install(state, spec, port);
}

/** Whether `prepare` has others write, who may do so anywhere. */
export function involvesOthers(spec: InstanceSpec): boolean {
  const scripts = [spec.packageInstallScript, spec.afterInstallScript];
  return packagesOf(spec).length > 0 || scripts.some((script) => script !== undefined);
}

function packagesOf(spec: InstanceSpec): string[] {
  return [...spec.packages, ...(PLATFORM_PACKAGES[spec.platform] ?? [])];
}

/** Writes what says how it runs: its environment and its unit, which static apps do not have. */
export async function install(state: ReleaseState, spec: InstanceSpec, port: number): Promise<void> {
  const {
    places,
    units,
    paths: { node },
  } = state.ports;
  const paths = state.pathsOf(spec.app, spec.instance);
  await places.writeEnv(paths.env, instanceEnv(spec, paths, port));
  if (!hasProcess(spec.platform)) return;
  await units.install(spec.instance, instanceUnitText({ spec, port, paths, node }));
}

type InstallScript = { cwd: string; env: Record<string, string>; timeout: number; user: string } & {
  code: 'E_PACKAGES' | 'E_APP_CONFIG';
};

async function runScript(
  state: ReleaseState,
  line: string,
  how: InstallScript,
  { signal, progress }: Pick<RequestContext, 'signal' | 'progress'>,
): Promise<void> {
  const argv = await state.ports.scripts.find(
    how.cwd,
    line.split(/\s+/).filter((word) => word !== ''),
  );
  if (argv === undefined) throw new SlError('E_APP_CONFIG', `install script ${JSON.stringify(line)}: no such program`);
  progress({ stage: 'script', text: `running install script ${line}` });
  await state.ports.scripts.run({ ...how, argv }, signal);
}

/** Starts the instance's unit; static apps have none. E_APP_CRASHED when it does not even start. */
export async function start(state: ReleaseState, spec: InstanceSpec, signal: AbortSignal): Promise<void> {
  if (!hasProcess(spec.platform)) return;
  try {
    await state.ports.units.start(spec.instance, signal);
  } catch (error) {
    const { code, message } = toSlError(error);
    if (code !== 'E_APP_CRASHED') throw error;
    throw await withLog(state, spec.instance, 'E_APP_CRASHED', message);
  }
}

/** Waits until the instance answers its health path. E_APP_CRASHED as soon as it exits, E_APP_UNHEALTHY in the end. */
export async function waitHealthy(
  state: ReleaseState,
  it: Pick<InstanceJournal, 'instance' | 'spec' | 'port'>,
  signal: AbortSignal,
): Promise<void> {
  if (!hasProcess(it.spec.platform)) return;
  const { clock } = state.ports;
  const deadline = clock.monotonic() + it.spec.health.timeout * 1000;
  const run = state.ports.units.currentRun(it.instance);
  let checked = clock.monotonic();
  for (let delay = FIRST_DELAY; ; delay = Math.min(delay * DELAY_GROWTH, MAX_DELAY)) {
    const problem = await askHealth(state, it, Math.min(ASK_TIMEOUT, deadline - clock.monotonic()), signal);
    if (problem === undefined) return;
    const now = clock.monotonic();
    const lives = run !== undefined && run === state.ports.units.currentRun(it.instance);
    if ((!lives && now - checked >= CRASH_CHECK_INTERVAL) || now + delay >= deadline) {
      await checkCrash(state, it.instance);
      checked = now;
    }
    if (now + delay >= deadline) throw await unhealthy(state, it, problem);
    await clock.sleep(delay, signal);
  }
}

/** Undefined when it is healthy, otherwise what is wrong. Throws only when cancelled. */
async function askHealth(
  state: ReleaseState,
  it: Pick<InstanceJournal, 'spec' | 'port'>,
  timeout: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const answer = await state.ports.http.get(healthQuestion(it, Math.max(1, timeout)), signal);
    return answer.status >= 200 && answer.status < 400 ? undefined : `it answered ${answer.status}`;
  } catch (error) {
    const { code, message } = toSlError(error);
    if (code === 'E_ABORTED') throw error;
    return code === 'E_DEADLINE' ? 'it takes connections and does not answer' : message;
  }
}

/** The question that health is judged by, while staging and ever after. */
export function healthQuestion(it: Pick<InstanceJournal, 'spec' | 'port'>, timeout: number) {
  const { spec, port } = it;
  const headers = { Host: spec.health.host, 'X-Silver-Path': matchPath(spec) };
  return { port, path: requestPath(spec, spec.health.path), headers, timeout };
}

async function checkCrash(state: ReleaseState, instance: string): Promise<void> {
  const status = (await state.ports.units.status([instance])).get(instance);
  const crash = status && crashOf(status);
  if (crash !== undefined)
    throw await withLog(state, instance, 'E_APP_CRASHED', `${instance} ${crash} while it was staged`);
}

async function unhealthy(
  state: ReleaseState,
  it: Pick<InstanceJournal, 'instance' | 'spec'>,
  problem: string,
): Promise<SlError> {
  const { path, timeout } = it.spec.health;
  const where = `${it.instance} did not answer ${requestPath(it.spec, path)} with 2xx or 3xx within ${timeout} s`;
  return withLog(state, it.instance, 'E_APP_UNHEALTHY', `${where}: ${problem}`);
}

async function withLog(
  state: ReleaseState,
  instance: string,
  code: 'E_APP_CRASHED' | 'E_APP_UNHEALTHY',
  message: string,
): Promise<SlError> {
  return new SlError(code, message, { details: { log: await state.ports.units.log(instance, LOG_LINES) } });
}
