import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { asDiskFull } from './full-disk.ts';

const system = (code: string) => Object.assign(new Error(`${code}: no space left on device, write`), { code });

it.each(['ENOSPC', 'EDQUOT'])('%s is a full disk, with what is free', async (code) => {
  expect(await asDiskFull(system(code), tmpdir())).toMatchObject({
    code: 'E_DISK_FULL',
    message: expect.stringMatching(/ran out \(E\w+: no space .*\); \d+ MiB( and \d+ inodes)? are free in \//),
    details: { free: { bytes: expect.any(Number) } },
  });
});

it('is told also when nobody can say what is free', async () => {
  const error = await asDiskFull(system('ENOSPC'), '/nowhere');
  expect(error).toMatchObject({ code: 'E_DISK_FULL', details: {} });
});

it('leaves every other error as it is', async () => {
  const other = system('EIO');
  expect(await asDiskFull(other, tmpdir())).toBe(other);
});
