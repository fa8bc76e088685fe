import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { commands, useCommands } from '../../../../../test/fakes/commands.ts';
import { ensureAccount } from './accounts.ts';

useCommands();

let etc: string;
beforeEach(async () => {
  etc = await mkdtemp(join(tmpdir(), 'sl-etc-'));
  await writeFile(`${etc}/passwd`, 'root:x:0:0::/root:/bin/sh\n');
  await writeFile(`${etc}/group`, 'root:x:0:\n');
});
afterEach(() => rm(etc, { recursive: true }));

/** What useradd does here: it notes what it was told, and then adds the user, or not, and ends. */
const useradd = (status: number, adds: boolean) =>
  commands.put(
    'useradd',
    `echo "$*" >> ${etc}/told
    ${adds ? `echo 'app-blog:x:990:991::/nonexistent:/usr/sbin/nologin' >> ${etc}/passwd` : 'echo no such luck >&2'}
    exit ${status}`,
  );
const told = () => readFile(`${etc}/told`, 'utf8');

it('makes a user with a group of its own, once', async () => {
  await useradd(0, true);
  expect(await ensureAccount('app-blog', etc)).toMatchObject({ uid: 990, gid: 991 });
  expect(await ensureAccount('app-blog', etc)).toMatchObject({ uid: 990, gid: 991 });
  expect(await told()).toMatch(/^--system .*--user-group .*-- app-blog\n$/);
});

it('gives a user the group of its name where there is one already', async () => {
  await writeFile(`${etc}/group`, 'app-blog:x:991:\n');
  await useradd(0, true);
  expect(await ensureAccount('app-blog', etc)).toMatchObject({ uid: 990, gid: 991 });
  expect(await told()).toMatch(/^--system .*--gid app-blog .*-- app-blog\n$/);
});

it('takes one that somebody else makes at the same time', async () => {
  await useradd(9, true);
  expect(await ensureAccount('app-blog', etc)).toMatchObject({ uid: 990, gid: 991 });
});

it('says what useradd said where it makes none', async () => {
  await useradd(9, false);
  await expect(ensureAccount('app-blog', etc)).rejects.toThrow(/useradd .*exit status 9.*no such luck/s);
});
