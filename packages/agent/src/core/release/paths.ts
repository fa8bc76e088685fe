/** Where the agent keeps releases and what belongs to them. `root` is `/` on a node and a temporary folder in tests. */
export interface ReleasePaths {
  store: string;
  releases: string;
  /** What layered releases add to the release that they lie over. */
  layers: string;
  www: string;
  instances: string;
  env: string;
  tmp: string;
  logs: string;
  proxy: string;
  instancesMap: string;
  /** Apache's RewriteMap of releases whose fingerprinted static files can still be had. */
  othersMap: string;
  /** Apache's RewriteMap of what is active. */
  activeMap: string;
  /** Leads to a file while the node may get requests. */
  ready: string;
  /** That file. No boot leaves it there: Apache starts before the agent does, and apps take longer. */
  readyFile: string;
  /** HAProxy's map of what is active. */
  balancerMap: string;
  /** Until when new requests wait. */
  holdMap: string;
  balancerSocket: string;
  units: string;
  /** `{epoch, active}`: the newest committed map that this node has seen. */
  committed: string;
  node: string;
}

/** The paths below a root. */
export function releasePaths(root = ''): ReleasePaths {
  const data = `${root}/var/lib/silverlining`;
  return {
    store: `${data}/store`,
    releases: `${data}/releases`,
    layers: `${data}/layers`,
    www: `${root}/var/www`,
    instances: `${data}/instances`,
    env: `${data}/env`,
    tmp: `${data}/tmp`,
    logs: `${root}/var/log/silverlining/apps`,
    proxy: `${data}/proxy`,
    instancesMap: `${data}/proxy/instances.map`,
    othersMap: `${data}/proxy/others.map`,
    activeMap: `${data}/proxy/active.map`,
    ready: `${data}/proxy/ready`,
    readyFile: `${root}/run/silverlining-ready`,
    balancerMap: `${root}/etc/haproxy/silverlining/active.map`,
    holdMap: `${root}/etc/haproxy/silverlining/hold.map`,
    balancerSocket: `${root}/run/haproxy/silverlining.sock`,
    units: `${root}/etc/systemd/system`,
    committed: `${data}/agent/committed.json`,
    node: `${root}/opt/silverlining/node`,
  };
}

/** What belongs to one instance. */
export interface InstancePaths {
  release: string;
  app: string;
  config: string;
  /** What the agent adds for the platform (the Python wrapper). */
  support: string;
  env: string;
  /** TEMP of the instance alone: the release that still serves keeps its own. */
  temp: string;
  /** Logs of the app, all its instances. */
  logs: string;
}

export function instancePaths(paths: ReleasePaths, app: string, instance: string): InstancePaths {
  const release = `${paths.releases}/${instance}`;
  return {
    release,
    app: `${release}/app`,
    config: `${release}/config`,
    support: `${release}/support`,
    env: `${paths.env}/${instance}.env`,
    temp: `${paths.tmp}/${app}/${instance}`,
    logs: `${paths.logs}/${app}`,
  };
}
