import type { DeployRecord, LogLine, OperationEvent, Plan, StatusResult } from '@silverlining/protocol';
import type { ControllerService, LogsContext, OperationContext } from '../../packages/controller/src/service.ts';

export const aDeploy: DeployRecord = {
  id: 'deploy-1.blog',
  app: 'blog',
  instance: 'blog.20260131_002',
  previous: 'blog.20260131_001',
  outcome: 'done',
  epoch: 7,
  files: { total: 10_000, sent: 1 },
  bytes: { total: 92_000_000, sent: 1_200, wire: 2_400 },
  ms: { total: 840, stage: 600, switch: 12, skew: 0 },
};

export const aPlan: Plan = {
  set: 'shop',
  nodes: [
    { name: 'app1.shop.internal', roles: ['appserver'], exists: true },
    { name: 'app2.shop.internal', roles: ['appserver'], size: 'ram 256MB', exists: false },
  ],
  steps: [
    { action: 'create-node', node: 'app2.shop.internal', summary: 'create app2.shop.internal' },
    { action: 'deploy', app: 'blog', summary: 'deploy blog: 1 of 10,000 files changed' },
  ],
  changes: 2,
};

export const aStatus: StatusResult = {
  set: 'shop',
  controller: { version: '0.1.0', pid: 4711, url: 'wss://192.0.2.1:7420', upSince: 1_769_860_000_000 },
  generation: 4,
  nodes: [
    {
      ...{ name: 'app1.shop.internal', address: '192.0.2.11', roles: ['appserver'], state: 'healthy', reasons: [] },
      ...{ agent: '0.1.0', generation: 4, lastSeen: 1_769_860_100_000, load: 0.25 },
      ...{ memory: { used: 100 << 20, total: 256 << 20 }, disk: { used: 1 << 30, total: 8 * (1 << 30) } },
    },
    {
      ...{
        name: 'app2.shop.internal',
        address: null,
        roles: ['appserver'],
        state: 'down',
        reasons: ['silent for 40 s'],
      },
      ...{ agent: null, generation: null, lastSeen: null, load: null, memory: null, disk: null },
    },
  ],
  apps: [
    {
      name: 'blog',
      locations: ['shop.example/'],
      active: 'blog.20260131_002',
      notices: [],
      instances: [{ node: 'app1.shop.internal', instance: 'blog.20260131_002', state: 'active' }],
    },
  ],
};

const someLogLines: LogLine[] = [
  { node: 'app1.shop.internal', at: 1_769_860_000_000, source: 'blog', text: 'listening' },
  { node: 'app2.shop.internal', at: 1_769_860_000_500, source: 'blog', text: 'GET / 200' },
];

type Work = (context: OperationContext, request: object) => Promise<unknown>;

/** A controller without servers: it remembers what it was asked, answers as told, and runs `work` for operations. */
export class FakeService implements ControllerService {
  readonly asked: { verb: string; request: object }[] = [];
  plan$: Plan = aPlan;
  status$: StatusResult = aStatus;
  work: Record<'up' | 'deploy' | 'rollback' | 'down', Work> = {
    up: async () => ({ set: 'shop', changes: 2, deploys: [aDeploy], sites: [] }),
    deploy: async () => ({ deploys: [aDeploy] }),
    rollback: async () => ({ deploys: [aDeploy] }),
    down: async () => ({ set: 'shop', destroyed: ['app1.shop.internal'] }),
  };
  /** Operations of earlier controllers, by id. */
  journal = new Map<string, OperationEvent[]>();
  logs$: (context: LogsContext) => Promise<void> = async ({ emit }) => {
    for (const line of someLogLines) await emit(line);
  };

  noteClient: ControllerService['noteClient'] = () => undefined;
  plan: ControllerService['plan'] = async (request) => this.#note('plan', request, this.plan$);
  status: ControllerService['status'] = async (request) => this.#note('status', request, this.status$);
  deploys: ControllerService['deploys'] = async (request) =>
    this.#note('deploys', request, {
      set: request.set,
      deploys: [{ ...aDeploy, startedAt: 1_769_860_000_000, state: 'ended' as const }],
    });
  up: ControllerService['up'] = (request, context) => this.#work('up', request, context);
  deploy: ControllerService['deploy'] = (request, context) => this.#work('deploy', request, context);
  rollback: ControllerService['rollback'] = (request, context) => this.#work('rollback', request, context);
  down: ControllerService['down'] = (request, context) => this.#work('down', request, context);
  logs: ControllerService['logs'] = (request, context) => this.#note('logs', request, this.logs$(context));

  reverted: ControllerService['reverted'] = async () => undefined;
  recorded: ControllerService['recorded'] = async (operation) => this.journal.get(operation);

  #note<T>(verb: string, request: object, answer: T): T {
    this.asked.push({ verb, request });
    return answer;
  }

  async #work<T>(verb: keyof FakeService['work'], request: object, context: OperationContext): Promise<T> {
    this.asked.push({ verb, request });
    // Tests give any result, also such as the contract does not allow.
    return (await this.work[verb](context, request)) as T;
  }
}
