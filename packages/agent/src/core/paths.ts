/** Where everything is on a node. The controller's bootstrap and roles use the same names. */
export interface AgentPaths {
  /** Identity: set, node, controller; made by the bootstrap. */
  config: string;
  key: string;
  certificate: string;
  ca: string;
  /** Public key of who may give orders; made by the bootstrap. */
  orderKey: string;
  topology: string;
  /** The agent's own durable state, a file a subject. */
  state: string;
  /** What health measures the space of. */
  data: string;
  /** Bundles by digest, and the link to the one that runs. */
  bundles: string;
  bundleLink: string;
  /** Run when the agent has ended, as long as a new bundle has to prove itself; beside the bundles, and gone with those that are not needed. */
  crashScript: string;
  /** Node binaries by digest, and the link to the one that the agent and the apps run under. */
  runtimes: string;
  runtimeLink: string;
  /** The agent's own unit. */
  unit: string;
}

/** The paths below `root`, which is empty on a node and a folder in tests. */
export function agentPaths(root = ''): AgentPaths {
  return {
    config: `${root}/etc/silverlining/agent.json`,
    key: `${root}/etc/silverlining/agent/key.pem`,
    certificate: `${root}/etc/silverlining/agent/cert.pem`,
    ca: `${root}/etc/silverlining/agent/ca.pem`,
    orderKey: `${root}/etc/silverlining/agent/orders.pem`,
    topology: `${root}/etc/silverlining/topology.json`,
    state: `${root}/var/lib/silverlining/agent`,
    data: `${root}/var/lib/silverlining`,
    bundles: `${root}/opt/silverlining/agent`,
    bundleLink: `${root}/opt/silverlining/agent.js`,
    crashScript: `${root}/opt/silverlining/agent/after-crash`,
    runtimes: `${root}/opt/silverlining/runtime`,
    runtimeLink: `${root}/opt/silverlining/node`,
    unit: `${root}/etc/systemd/system/silver-agent.service`,
  };
}
