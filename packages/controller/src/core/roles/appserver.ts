/** An app server: Apache, what the apps' platforms need, and clients of the set's services. */
import { type App, appUser, type Platform, type ResourceInput } from '@silverlining/protocol';
import { clientPackages } from '../services/index.ts';
import { ACTIVE_MAP, INSTANCES_MAP, OTHERS_MAP, siteText } from './apache-site.ts';
import { secretResources } from './app-secret.ts';
import { addressesOf, apachePort, type RoleContext, type RoleParts, type RoleTrace } from './context.ts';
import { APACHE_LOGROTATE, logrotateText } from './logrotate.ts';
import { appWord, nodeWord } from './words.ts';

const UNIT = 'apache2.service';
const CHECK = ['apachectl', '-t'];
const RELOAD = [{ unit: UNIT, action: 'reload' as const, check: CHECK }];
const RESTART = [{ unit: UNIT, action: 'restart' as const, check: CHECK }];
const SITE = '/etc/apache2/sites-available/silverlining.conf';
/** Apache reads sites by name, and the first is the one for all hosts that none names: a machine may have sites of its user's own. */
const LINK = '/etc/apache2/sites-enabled/000-silverlining.conf';
/** The link, and not the site: without the site, Apache would not start over the link. */
export const APPSERVER_TRACE: RoleTrace = { unit: UNIT, mark: LINK };

/** What apps of a platform need from the distribution; `node` apps run on the agent's own runtime. */
const PLATFORM_PACKAGES: Record<Platform, readonly string[]> = {
  node: [],
  python: ['gunicorn', 'python3'],
  asgi: ['gunicorn', 'python3', 'python3-uvicorn'],
  php: [],
  command: [],
  static: [],
};

export function appserver(context: RoleContext): RoleParts {
  const { set, topology, node, os } = context;
  const port = apachePort(node);
  const balancers = addressesOf(topology, 'balancer');
  return {
    packages: ['apache2', ...set.apps.flatMap((it) => appPackages(it)), ...clientPackages(set, os)],
    resources: [
      ...DIRECTORIES,
      // Their logs are rotated as they, so they exist before their first release does.
      ...set.apps.map((it): ResourceInput => ({ type: 'user', name: appUser(appWord(it.name)) })),
      ...secretResources(context),
      // Apache does not start without the files that its maps name.
      { type: 'file', path: INSTANCES_MAP, content: '', once: true },
      { type: 'file', path: ACTIVE_MAP, content: '', once: true },
      { type: 'file', path: OTHERS_MAP, content: '', once: true },
      { type: 'file', path: '/etc/logrotate.d/silverlining', content: logrotateText(set.apps.map((it) => it.name)) },
      { type: 'file', path: '/etc/logrotate.d/apache2', content: APACHE_LOGROTATE },
      ...MODULES,
      { type: 'file', path: '/etc/apache2/ports.conf', content: `Listen ${port}\n`, notify: RESTART },
      {
        type: 'file',
        path: '/etc/apache2/conf-available/silverlining.conf',
        content: serverText(node.name),
        notify: RESTART,
      },
      {
        ...{ type: 'link', path: '/etc/apache2/conf-enabled/silverlining.conf', notify: RELOAD },
        target: '../conf-available/silverlining.conf',
      },
      { type: 'absent', path: '/etc/apache2/sites-enabled/000-default.conf', notify: RELOAD },
      { type: 'file', path: SITE, content: siteText({ topology, node: node.name, port }), notify: RELOAD },
      { type: 'link', path: LINK, target: '../sites-available/silverlining.conf', notify: RELOAD },
      // Where earlier versions had it.
      { type: 'absent', path: '/etc/apache2/sites-enabled/silverlining.conf', notify: RELOAD },
      { type: 'unit', name: UNIT, enabled: true, running: true },
    ],
    openings: [{ port, from: balancers.length > 0 ? balancers : 'anywhere' }],
    watch: [UNIT],
  };
}

function appPackages({ platform, packages }: App): string[] {
  return [...PLATFORM_PACKAGES[platform], ...packages];
}

const DIRECTORIES: ResourceInput[] = [
  { type: 'directory', path: '/var/lib/silverlining/store', mode: 0o700 },
  { type: 'directory', path: '/var/lib/silverlining/instances', mode: 0o700 },
  { type: 'directory', path: '/var/lib/silverlining/env', mode: 0o700 },
  { type: 'directory', path: '/var/lib/silverlining/releases' },
  { type: 'directory', path: '/var/lib/silverlining/tmp' },
  { type: 'directory', path: '/var/lib/silverlining/proxy' },
  { type: 'directory', path: '/var/log/silverlining/apps' },
  { type: 'directory', path: '/var/www' },
];

/**
 * Without a server name each reload asks DNS for one, for as long as that takes. Threads are what visitors wait for;
 * balancers are told a lower number, so that health checks always find one. They stay once they are there: a process
 * that is ended for want of work closes the connections that visitors keep open with it.
 */
function serverText(node: string): string {
  return `# Written by Silver Lining; changes are overwritten.
ServerName ${nodeWord(node)}
<IfModule mpm_event_module>
  ServerLimit 16
  ThreadsPerChild 25
  MaxRequestWorkers 400
  MaxSpareThreads 400
</IfModule>
`;
}
/** Requests that balancers may have open at an app server at once, all of them together. */
export const MAX_REQUESTS = 350;

// `status` would answer /server-status in place of the apps; the others are left as the distribution has them.
const MODULES: ResourceInput[] = [
  ...['mpm_prefork', 'mpm_worker', 'status'].flatMap((it) => [without(`${it}.load`), without(`${it}.conf`)]),
  ...['mpm_event', 'proxy'].flatMap((it) => [module(`${it}.conf`), module(`${it}.load`)]),
  ...['headers', 'proxy_http', 'proxy_wstunnel', 'remoteip', 'rewrite'].map((it) => module(`${it}.load`)),
];

function module(file: string): ResourceInput {
  return {
    type: 'link',
    path: `/etc/apache2/mods-enabled/${file}`,
    target: `../mods-available/${file}`,
    notify: RESTART,
  };
}

function without(file: string): ResourceInput {
  return { type: 'absent', path: `/etc/apache2/mods-enabled/${file}`, notify: RESTART };
}
