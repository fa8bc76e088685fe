/** Users and groups of a node, from /etc/passwd and /etc/group. */
export interface Accounts {
  users: Map<string, User>;
  groups: Map<string, Group>;
}
export interface User {
  name: string;
  uid: number;
  gid: number;
  home: string;
  shell: string;
}
export interface Group {
  name: string;
  gid: number;
  members: string[];
}

export function parseAccounts(passwd: string, group: string): Accounts {
  const users = new Map<string, User>();
  for (const [name = '', , uid, gid, , home = '', shell = ''] of rows(passwd)) {
    users.set(name, { name, uid: Number(uid), gid: Number(gid), home, shell });
  }
  const groups = new Map<string, Group>();
  for (const [name = '', , gid, members = ''] of rows(group)) {
    groups.set(name, { name, gid: Number(gid), members: members.split(',').filter(Boolean) });
  }
  return { users, groups };
}

export interface WantedUser {
  name: string;
  home: string;
  shell: string;
  groups: readonly string[];
}

/** Groups that the user should be in and is not. */
function missingGroups(wanted: WantedUser, accounts: Accounts): string[] {
  const primary = accounts.users.get(wanted.name)?.gid;
  return wanted.groups.filter((name) => {
    const group = accounts.groups.get(name);
    return group === undefined || (group.gid !== primary && !group.members.includes(wanted.name));
  });
}

/** What differs, for people; empty when the user is as wanted. Groups beside the wanted ones are left alone. */
export function userDifferences(wanted: WantedUser, accounts: Accounts): string[] {
  const user = accounts.users.get(wanted.name);
  if (user === undefined) return ['does not exist'];
  const differences: string[] = [];
  if (user.home !== wanted.home) differences.push(`home ${user.home} instead of ${wanted.home}`);
  if (user.shell !== wanted.shell) differences.push(`shell ${user.shell} instead of ${wanted.shell}`);
  const missing = missingGroups(wanted, accounts);
  if (missing.length > 0) differences.push(`not in ${missing.join(', ')}`);
  return differences;
}

/** The commands that bring the user to what is wanted, in order. Missing groups are made as system groups. */
export function userCommands(wanted: WantedUser, accounts: Accounts): string[][] {
  const newGroups = wanted.groups.filter((name) => !accounts.groups.has(name));
  const commands = newGroups.map((name) => ['groupadd', '--system', '--', name]);
  const groups = wanted.groups.length === 0 ? [] : ['--groups', wanted.groups.join(',')];
  if (!accounts.users.has(wanted.name)) {
    // A group of that name may be there already, from a package or an earlier run that was cut off.
    const own = accounts.groups.has(wanted.name) ? ['--gid', wanted.name] : ['--user-group'];
    const add = ['useradd', '--system', '--no-create-home', ...own, '--home-dir', wanted.home, '--shell', wanted.shell];
    return [...commands, [...add, ...groups, '--', wanted.name]];
  }
  const append = groups.length === 0 ? [] : ['--append', ...groups];
  return [...commands, ['usermod', '--home', wanted.home, '--shell', wanted.shell, ...append, '--', wanted.name]];
}

function rows(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}
