/** The systemd unit of an instance: pure text from what it runs. */
import { appUser, type InstanceSpec, type Platform, SlError } from '@silverlining/protocol';
import { writableServicePaths } from './instance-env.ts';
import type { InstancePaths } from './paths.ts';
import { commandLine } from './quoting.ts';

export interface UnitInput {
  spec: InstanceSpec;
  paths: InstancePaths;
  port: number;
  /** The Node binary that agents bring. */
  node: string;
}

/** Worker processes of a Python app that does not say; each has its own copy of the app in memory. */
const DEFAULT_WORKERS = 2;
const THREADS = 4;

/** Whether instances of the platform are processes at all. */
export function hasProcess(platform: Platform): boolean {
  return platform !== 'static';
}

/** The text of the unit file. E_APP_CONFIG when the platform cannot be run. */
export function instanceUnitText(input: UnitInput): string {
  const { spec, paths } = input;
  const user = appUser(spec.app);
  const writable = [paths.temp, paths.logs, ...writableServicePaths(spec.env).map((path) => `-${path}`)];
  return `[Unit]
Description=Silver Lining: ${spec.instance}
After=network.target
# An app whose database is away for a while must come back by itself; NRestarts shows that it crashes.
StartLimitIntervalSec=0

[Service]
Type=exec
User=${user}
Group=${user}
WorkingDirectory=${paths.app}
EnvironmentFile=${paths.env}
ExecStart=${commandLine(startCommand(input))}
Restart=always
RestartSec=1
# SIGTERM to the main process first, so that it can finish the requests it has.
KillMode=mixed
TimeoutStopSec=15
UMask=0027
MemoryAccounting=yes
CPUAccounting=yes
TasksMax=4096
LimitNOFILE=65536
${sandbox(writable)}
[Install]
WantedBy=multi-user.target
`;
}

/** The lines that keep an app to its own files. MemoryDenyWriteExecute is left out: JIT compilers need it. */
function sandbox(writable: readonly string[]): string {
  return `NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=${writable.join(' ')}
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
LockPersonality=yes
CapabilityBoundingSet=
`;
}

type Commands = { [P in Exclude<Platform, 'static'>]: (input: UnitInput) => string[] };

const COMMANDS: Commands = {
  node: (input) => [input.node, `${input.paths.app}/${runnerFile(input.spec)}`],
  python: (input) => gunicorn(input, ['--threads', String(THREADS), 'silver_wsgi:application']),
  asgi: (input) => gunicorn(input, ['--worker-class', 'uvicorn.workers.UvicornWorker', 'silver_asgi:application']),
  command: appCommand,
  php: ({ spec }) => {
    throw new SlError('E_APP_CONFIG', `${spec.app}: platform php cannot be run yet`);
  },
};

/** argv that starts the instance. */
export function startCommand(input: UnitInput): string[] {
  const { platform, app } = input.spec;
  if (platform === 'static') throw new SlError('E_INTERNAL', `${app} is static: there is nothing to start`);
  return COMMANDS[platform](input);
}

function gunicorn({ spec, paths, port }: UnitInput, rest: string[]): string[] {
  const workers = spec.processes === 0 ? DEFAULT_WORKERS : spec.processes;
  return [
    '/usr/bin/gunicorn',
    '--bind',
    `127.0.0.1:${port}`,
    '--workers',
    String(workers),
    // Heartbeats of workers are file times; on a disk they stall with it.
    '--worker-tmp-dir',
    '/dev/shm',
    '--graceful-timeout',
    '10',
    '--pythonpath',
    paths.support,
    ...rest,
  ];
}

function appCommand({ spec, paths, port, node }: UnitInput): string[] {
  const [program, ...args] = (spec.command ?? []).map((part) => part.replace(/\$(?:PORT\b|\{PORT\})/g, String(port)));
  if (program === undefined) throw new SlError('E_APP_CONFIG', `${spec.app}: platform command needs a command`);
  // systemd gives these a meaning at the start of a command, quoted or not: `+` is full privileges.
  if (/^[@:+!|-]/.test(program))
    throw new SlError('E_APP_CONFIG', `${spec.app}: cannot run ${JSON.stringify(program)}`);
  // Nodes have the runtime that the agent brought, and seldom another one.
  if (program === 'node') return [node, ...args];
  // systemd finds bare names on its own path and wants anything else absolute.
  const inRelease = program.includes('/') && !program.startsWith('/');
  return [inRelease ? `${paths.app}/${program.replace(/^\.\//, '')}` : program, ...args];
}

function runnerFile(spec: InstanceSpec): string {
  const file = spec.runner?.split('#')[0];
  if (file === undefined || file === '') throw new SlError('E_APP_CONFIG', `${spec.app}: no runner is given`);
  return file;
}
