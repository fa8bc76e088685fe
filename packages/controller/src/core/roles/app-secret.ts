/** The set's secret: the same on every app server for as long as the set lives, so that apps can sign cookies with it. */
import { type App, appUser, type ResourceInput } from '@silverlining/protocol';
import type { RoleContext } from './context.ts';
import { appWord } from './words.ts';

/** Its name among the set's secrets. */
export const SET_SECRET = 'set';

const FOLDER = '/var/lib/silverlining/secrets';

/** Where the app reads it. It is a file, as environments are inherited, shown and logged. */
export function secretFile(app: string): string {
  return `${FOLDER}/${appWord(app)}`;
}

/** A file for each app that root and the app's own user can read; the users have to exist. */
export function secretResources({ set, secrets }: Pick<RoleContext, 'set' | 'secrets'>): ResourceInput[] {
  const content = `${secrets.get(SET_SECRET) ?? ''}\n`;
  const file = ({ name }: App): ResourceInput => ({
    ...{ type: 'file', path: secretFile(name), content, sensitive: true },
    ...{ mode: 0o440, group: appUser(appWord(name)) },
  });
  return [{ type: 'directory', path: FOLDER, mode: 0o711 }, ...set.apps.map(file)];
}
