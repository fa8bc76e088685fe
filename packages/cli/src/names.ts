/** Names given on the command line, checked before anything is asked of anybody. */
import { hostname, userInfo } from 'node:os';
import { appName, instanceName, nodeName, SlError, setName } from '@silverlining/protocol';

const RULES = { app: appName, node: nodeName, set: setName, instance: instanceName } as const;

/** The name as it was given; E_INVALID_NAME with the rule when it cannot be one. */
export function checkedName<T extends string | undefined>(kind: keyof typeof RULES, name: T): T {
  if (name === undefined) return name;
  const parsed = RULES[kind].safeParse(name);
  if (parsed.success) return name;
  const rule = parsed.error.issues[0]?.message ?? 'it is no name';
  throw new SlError('E_INVALID_NAME', `invalid ${kind} name ${JSON.stringify(name)}: ${rule}`);
}

/** `user@machine`, for records and for others who find the set locked. */
export function whoAsks(env: NodeJS.ProcessEnv): string {
  return `${env.SUDO_USER ?? userName()}@${hostname()}`.slice(0, 200);
}

/** A user that the machine has no name for is no reason to refuse. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? '?'}`;
  }
}
