/** A second machine with the agent of a node on it, identity and all: a disk that was copied, or a backup that was put back. */
import { spareNode, type TestNode } from './nodes.ts';

const UNIT = 'silver-agent.service';
const DATA = ['/etc/silverlining', '/var/lib/silverlining'];
const PROGRAM = ['/opt/silverlining', `/etc/systemd/system/${UNIT}`, `/etc/systemd/system/${UNIT}.d`];
const MARK = '/run/looked-at';

export class AgentCopy {
  readonly #machine: TestNode;

  private constructor(machine: TestNode) {
    this.#machine = machine;
  }

  static async of(node: TestNode, name: string): Promise<AgentCopy> {
    const it = new AgentCopy(await spareNode(name));
    try {
      await node.copyTo(it.#machine, PROGRAM);
      await it.take(node);
      return it;
    } catch (error) {
      await it.destroy();
      throw error;
    }
  }

  /** What it has from now on is what the node has. */
  async take(node: TestNode): Promise<void> {
    await this.#machine.exec(['systemctl', 'stop', UNIT]);
    // Of these, one is a mount.
    await this.#machine.exec(['mkdir', '-p', ...DATA]);
    await this.#machine.exec(['find', ...DATA, '-mindepth', '1', '-delete']);
    await node.copyTo(this.#machine, DATA);
  }

  /** Runs it, also where it waits before it tries again. */
  async start(): Promise<void> {
    await this.#machine.exec(['systemctl', 'daemon-reload']);
    await this.#machine.exec(['systemctl', 'restart', UNIT]);
  }

  /** What it said last of why it is not connected. */
  async complaint(): Promise<string> {
    return complaintOf(this.#machine);
  }

  /** Files that it got or changed since it was asked the last time. */
  async news(): Promise<string[]> {
    const find = `[ ! -e ${MARK} ] || find ${DATA.join(' ')} -newer ${MARK}; touch ${MARK}`;
    return (await this.#machine.exec(['sh', '-c', find])).stdout.split('\n').filter((line) => line !== '');
  }

  destroy(): Promise<void> {
    return this.#machine.destroy();
  }
}

/** What the agent of a node said last of why it is not connected; what it said before it was started again does not count. */
export async function complaintOf(node: TestNode): Promise<string> {
  const ofThisStart = `_SYSTEMD_INVOCATION_ID=$(systemctl show --property InvocationID --value ${UNIT})`;
  const { stdout } = await node.exec(['sh', '-c', `journalctl "${ofThisStart}" -n 20 -o cat`]);
  return stdout.split('\n').findLast((line) => line.includes('not connected: ')) ?? '';
}
