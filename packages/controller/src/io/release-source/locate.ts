import { type App, SlError } from '@silverlining/protocol';

/** Where a file of the manifest is on this machine. */
export function locateIn(app: App, path: string): string {
  const [part = '', ...rest] = path.split('/');
  const folder = part === 'config' ? app.config : app.dir;
  if (folder === undefined) throw new SlError('E_INTERNAL', `${path}: app ${app.name} has no configuration folder`);
  return `${folder}/${rest.join('/')}`;
}
