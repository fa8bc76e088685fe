import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A server set's file with one app. */
export const CLI_INI = `[general]\nname = shop\n[provider]\nprovider = local\n[appserver]\nlocations =\n  http://shop.example/ blog\n[app:blog]\ndir = blog\n`;

/** A folder to run `sl` in, that is its home as well, with a file of a server set and its app. */
export async function createCliHome(): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'sl-cli-'));
  await mkdir(join(home, 'blog'));
  await writeFile(join(home, 'blog/app.ini'), '[production]\napp_name = blog\nplatform = static\n');
  await writeFile(join(home, 'silver.ini'), CLI_INI);
  return home;
}
