/** What a node has of releases, as its files say it. */
import type { TestNode } from './nodes.ts';

export interface NodeTrace {
  /** Of the newest commit that the node has seen. */
  epoch: number;
  active: string;
  /** What HAProxy's file says; absent where HAProxy does not run. */
  balancer?: string;
  /** Half-written files, and whatever there is of the instance that should be gone. */
  leftovers: string[];
}

const DATA = '/var/lib/silverlining';
const PLACES = `${DATA} /var/www /etc/systemd/system /etc/silverlining /etc/haproxy /opt/silverlining`;

/** Reads the trace; of the instances in `gone` nothing should be left. */
export async function traceOf(node: TestNode, gone: readonly string[]): Promise<NodeTrace> {
  const names = gone.map((instance) => `-o -name '*${instance}*'`).join(' ');
  const units = gone.map((instance) => `'silver-app-*${instance}*'`).join(' ');
  // One command, one SSH session. What is in `app` and `config` of a release is the app's own.
  const script = `
    cat ${DATA}/agent/committed.json; echo
    sed 's/^hello /active /' ${DATA}/proxy/active.map
    ! systemctl --quiet is-active haproxy || sed 's/^hello /balancer /' /etc/haproxy/silverlining/active.map
    find ${PLACES} -path '${DATA}/releases/*/app/*' -prune -o \\( -name '*.dpkg-tmp' -o -name '*.tmp' -o -name '*.new' -o -path '*/incoming/*' ${names} \\) -print |
      sed 's/^/left /'
    systemctl list-units --all --plain --no-legend none.service ${units} | sed 's/^/left /'
    true`;
  const { stdout } = await node.exec(['sh', '-c', script]);
  const [committed = '{}', ...lines] = stdout.split('\n');
  const of = (word: string) =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  const { epoch, active } = JSON.parse(committed === '' ? '{}' : committed);
  const inMap = of('active').join();
  const balancer = of('balancer')[0];
  return {
    epoch,
    active: active?.hello === inMap ? inMap : `${active?.hello} and ${inMap}`,
    ...(balancer === undefined ? {} : { balancer }),
    leftovers: of('left'),
  };
}
