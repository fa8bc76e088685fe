import { appUser } from '@silverlining/protocol';
import { appWord } from './words.ts';

const RULES = ['daily', 'rotate 14', 'maxsize 200M', 'missingok', 'notifempty', 'compress', 'copytruncate'];

/**
 * Rotation of the access log and of what apps write. Each app's folder is handled as its own user: the app owns it and
 * could put links in the way of a rotation by root. Files are copied and cut, since apps keep them open.
 */
export function logrotateText(apps: readonly string[]): string {
  const own = apps.map((app) => {
    const user = appUser(appWord(app));
    return stanza(`/var/log/silverlining/apps/${app}/*.log`, [`su ${user} ${user}`]);
  });
  return [stanza('/var/log/silverlining/access.log', []), ...own].join('\n');
}

/** In place of the package's own, which reloads Apache every night: that closes connections that balancers keep. */
export const APACHE_LOGROTATE = stanza('/var/log/apache2/*.log', []);

function stanza(files: string, lines: readonly string[]): string {
  return `${files} {\n${[...lines, ...RULES].map((it) => `  ${it}\n`).join('')}}\n`;
}
