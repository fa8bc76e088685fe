import { appUser } from '@silverlining/protocol';
import { appWord } from './words.ts';

const RULES = ['daily', 'rotate 14', 'maxsize 200M', 'missingok', 'notifempty', 'compress', 'delaycompress'];

/**
 * Rotation of the access log and of what apps write. Each app's folder is handled as its own user: the app owns it and
 * could put links in the way of a rotation by root. Files are copied and cut, since apps keep them open.
 */
export function logrotateText(apps: readonly string[]): string {
  const access = stanza('/var/log/silverlining/access.log', [
    ...RULES,
    'create 640 root adm',
    'sharedscripts',
    'postrotate',
    '  systemctl reload apache2.service',
    'endscript',
  ]);
  const own = apps.map((app) => {
    const user = appUser(appWord(app));
    return stanza(`/var/log/silverlining/apps/${app}/*.log`, [`su ${user} ${user}`, ...RULES, 'copytruncate']);
  });
  return [access, ...own].join('\n');
}

function stanza(files: string, lines: readonly string[]): string {
  return `${files} {\n${lines.map((it) => `  ${it}\n`).join('')}}\n`;
}
