/** What `sl` uses of the controller: reading server sets, and talking to the daemon. The daemon itself is `start.ts`. */
export { ControllerClient, type RequestInput, type StreamingVerb } from './client/client.ts';
export { daemonCommand } from './client/daemon-environment.ts';
export { daemonLogPath, lastLogLines, readLog } from './client/daemon-log.ts';
export {
  type Connected,
  connectController,
  type DaemonOptions,
  daemonEntry,
  findController,
  stopController,
} from './client/daemon-process.ts';
export { shareSshAgent } from './client/ssh-agent.ts';
export { formatProblem, type LoadedSet, type ResolvedOption } from './core/config/index.ts';
export { suggest } from './core/config/suggest.ts';
export { readServerSet } from './io/config-files.ts';
export { type Directories, findDirectories, makeDirectories } from './io/directories.ts';
