import {
  apiRequests,
  type ControllerInfo,
  type OperationEvent,
  SlError,
  toWireError,
  type WireError,
} from '@silverlining/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import * as z from 'zod/mini';
import type { ControllerService, OperationRegistry, OperationRequest } from '../../service.ts';
import { LineStream } from './line-stream.ts';

/** What the API does not know itself. */
export type ApiInfo = Omit<ControllerInfo, 'operations' | 'socket'>;

export interface RouteContext {
  service: ControllerService;
  operations: OperationRegistry;
  info(): ApiInfo | Promise<ApiInfo>;
  socketPath: string;
  /** Called once the answer to a shutdown is out, or who asked for it is gone. */
  onShutdown(): void;
}

const shutdownRequest = z.strictObject({ force: z._default(z.boolean(), false) });

/** `POST /v1/VERB` for every verb, `GET /v1/info`, `POST /v1/shutdown`. */
export function addRoutes(app: FastifyInstance, context: RouteContext): void {
  const { service, operations } = context;
  app.get('/v1/info', async () => {
    service.noteClient();
    return { ...(await context.info()), socket: context.socketPath, operations: operations.running() };
  });
  app.post('/v1/shutdown', (request, reply) => shutDown(context, request, reply));

  const { plan, status, deploys, up, deploy, rollback, down, cancel } = apiRequests;
  app.post(
    '/v1/plan',
    answer(plan, (body, signal) => service.plan(body, { signal })),
  );
  app.post(
    '/v1/status',
    answer(status, (body, signal) => service.status(body, { signal })),
  );
  app.post(
    '/v1/deploys',
    answer(deploys, (body, signal) => service.deploys(body, { signal })),
  );
  app.post(
    '/v1/cancel',
    answer(cancel, async (body) => ({ cancelled: operations.cancel(body.operation) })),
  );

  const started = startWith(operations);
  app.post(
    '/v1/up',
    started(up, (body) => ({ kind: 'up', set: body.set.name, by: body.by, run: (it) => service.up(body, it) })),
  );
  app.post(
    '/v1/deploy',
    started(deploy, (body) => ({
      kind: 'deploy',
      set: body.set.name,
      by: body.by,
      run: (it) => service.deploy(body, it),
    })),
  );
  app.post(
    '/v1/rollback',
    started(rollback, (body) => ({
      kind: 'rollback',
      set: body.set,
      by: body.by,
      run: (it) => service.rollback(body, it),
    })),
  );
  app.post(
    '/v1/down',
    started(down, (body) => ({ kind: 'down', set: body.set, by: body.by, run: (it) => service.down(body, it) })),
  );
  app.post('/v1/attach', async (request, reply) => {
    await attach(context, parse(apiRequests.attach, request.body).operation, reply);
  });
  app.post('/v1/logs', (request, reply) => streamLogs(service, request, reply));
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

/** A verb with one JSON answer. Its signal is aborted when the client goes away before it. */
function answer<T extends z.ZodMiniType>(
  schema: T,
  handle: (body: z.infer<T>, signal: AbortSignal) => Promise<unknown>,
): Handler {
  return (request, reply) => {
    const gone = new AbortController();
    reply.raw.on('close', () => gone.abort());
    return handle(parse(schema, request.body), gone.signal);
  };
}

/** A verb that starts an operation and streams its events. The operation runs on when the client goes away. */
function startWith(operations: OperationRegistry) {
  return <T extends z.ZodMiniType>(schema: T, prepare: (body: z.infer<T>) => OperationRequest): Handler =>
    async (request, reply) => {
      const id = operations.start(prepare(parse(schema, request.body)));
      await follow(operations, id, reply);
    };
}

async function follow(operations: OperationRegistry, id: string, reply: FastifyReply): Promise<void> {
  const gone = new AbortController();
  await stream(operations.follow(id, gone.signal), reply, gone);
}

/** What runs or ran lately is followed; of what an earlier controller ran, the end is told. */
async function attach({ service, operations }: RouteContext, id: string, reply: FastifyReply): Promise<void> {
  const gone = new AbortController();
  let events: AsyncIterable<OperationEvent> | Iterable<OperationEvent>;
  try {
    events = asItStands(service, id, operations.follow(id, gone.signal));
  } catch (error) {
    const past = await service.recorded(id);
    if (past === undefined) throw error;
    events = past;
  }
  await stream(events, reply, gone);
}

/** What was done may have been rolled back since. */
async function* asItStands(
  service: ControllerService,
  id: string,
  events: AsyncIterable<OperationEvent>,
): AsyncGenerator<OperationEvent> {
  for await (const event of events) {
    const since = event.type === 'done' ? (await service.recorded(id))?.at(-1) : undefined;
    yield since?.type === 'failed' ? since : event;
  }
}

async function stream(
  events: AsyncIterable<OperationEvent> | Iterable<OperationEvent>,
  reply: FastifyReply,
  gone: AbortController,
): Promise<void> {
  const failed = (error: WireError): OperationEvent => ({ type: 'failed', error });
  await writeLines(reply, failed, (lines) => {
    lines.gone.addEventListener('abort', () => gone.abort());
    return lines.writeAll(events);
  });
}

async function streamLogs(service: ControllerService, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const body = parse(apiRequests.logs, request.body);
  const failed = (error: WireError) => ({ error });
  await writeLines(reply, failed, (lines) =>
    service.logs(body, { signal: lines.gone, emit: (line) => lines.write(line) }),
  );
}

/** What goes wrong after the first line is the last one: the framework has let go of the reply, and would leave it open. */
async function writeLines(
  reply: FastifyReply,
  failed: (error: WireError) => unknown,
  work: (lines: LineStream) => Promise<void>,
): Promise<void> {
  reply.hijack();
  const lines = new LineStream(reply.raw);
  try {
    await work(lines);
  } catch (thrown) {
    await lines.write(failed(toWireError(thrown)));
  }
  lines.end();
}

async function shutDown(context: RouteContext, request: FastifyRequest, reply: FastifyReply): Promise<object> {
  const { force } = parse(shutdownRequest, request.body);
  const [running] = context.operations.running();
  if (running !== undefined && !force) {
    throw new SlError(
      'E_BUSY',
      `${running.kind} of set ${running.set} is running (${running.id}): wait for it, or stop with --force, which cancels it`,
      { details: { operation: running.id } },
    );
  }
  context.operations.refuse();
  reply.raw.on('close', () => context.onShutdown());
  return { stopping: true };
}

function parse<T extends z.ZodMiniType>(schema: T, body: unknown): z.infer<T> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new SlError('E_USAGE', `the request is not valid: ${z.prettifyError(parsed.error)}`);
}
