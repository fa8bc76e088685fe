/** Rows of the store as records: parsed on the way out, since a file can hold anything. */
import {
  activeMap,
  app,
  deployRecord,
  facts,
  instanceSpec,
  manifest,
  role,
  serverSet,
  topology,
} from '@silverlining/protocol';
import * as z from 'zod/mini';
import type { Row } from './database.ts';
import { damaged } from './store-error.ts';

const text = z.string();
const optionalText = optional(text);
const optionalNumber = optional(z.number());

/** A column that may be NULL. */
function optional<T extends z.ZodMiniType>(schema: T) {
  return z.pipe(
    z.nullable(schema),
    z.transform((value) => value ?? undefined),
  );
}

/** A column of JSON. */
function json<T extends z.ZodMiniType>(schema: T) {
  const parsed = z.transform((value: string, context): unknown => {
    try {
      return JSON.parse(value);
    } catch {
      context.issues.push({ code: 'custom', message: 'is not JSON', input: value });
      return z.NEVER;
    }
  });
  return z.pipe(z.pipe(z.string(), parsed), schema);
}

/** What was committed of a set, without its large texts. */
export const setRow = z.pipe(
  z.object({
    name: text,
    epoch: z.number(),
    heard: z.number(),
    committed: z.number(),
    active: json(activeMap),
  }),
  z.transform(({ heard, committed, ...row }) => ({
    ...row,
    heardEpoch: heard,
    committed: committed === 1,
  })),
);

/** What a set is to be, and what its nodes were told. */
export const setTexts = z.object({ config: json(serverSet), topology: optional(json(topology)) });

export const nodeRow = z.pipe(
  z.object({
    uuid: text,
    set_name: text,
    name: text,
    roles: json(z.array(role)),
    provider_id: optionalText,
    address: optionalText,
    state: z.enum(['planned', 'created', 'enrolled']),
    key_hash: optionalText,
    cert_generation: z.number(),
    host_keys: json(z.array(z.string())),
    last_seen: optionalNumber,
    facts: optional(json(facts)),
    told: optionalText,
  }),
  z.transform((row) => ({
    uuid: row.uuid,
    set: row.set_name,
    name: row.name,
    roles: row.roles,
    providerId: row.provider_id,
    address: row.address,
    state: row.state,
    keyHash: row.key_hash,
    certGeneration: row.cert_generation,
    hostKeys: row.host_keys,
    lastSeen: row.last_seen,
    facts: row.facts,
    told: row.told,
  })),
);

/** A release without its manifest, which is read by its digest. */
export const releaseRow = z.pipe(
  z.object({
    instance: text,
    set_name: text,
    app: text,
    digest: text,
    spec: json(instanceSpec),
    config: json(app),
    created_at: z.number(),
    committed_at: optionalNumber,
  }),
  z.transform(({ set_name, created_at, committed_at, ...row }) => ({
    ...row,
    set: set_name,
    createdAt: created_at,
    committedAt: committed_at,
  })),
);

/** Of a manifest that stands as its text. */
export const manifestTextRow = z.object({ text: z.instanceof(Uint8Array) });
/** As earlier versions wrote it. */
export const manifestRow = z.object({ body: json(manifest) });

/** What is needed of a deploy to say whether it can be forgotten. */
export const deployHead = z.object({ id: text, instance: text, state: z.enum(['staging', 'committed', 'ended']) });

export const deployRow = z.pipe(
  z.extend(deployHead, { set_name: text, app: text, record: json(deployRecord), started_at: z.number() }),
  z.transform(({ set_name, started_at, ...row }) => ({ ...row, set: set_name, startedAt: started_at })),
);

/** What a deploy's row has beside it. */
export const timelineRow = z.object({ timeline: optional(json(z.nonoptional(deployRecord.shape.timeline))) });

export const leaseRow = z.pipe(
  z.object({ set_name: text, holder: text, operation: text, since: z.number(), token: z.number(), beats: z.number() }),
  z.transform(({ set_name, ...row }) => ({ set: set_name, ...row })),
);

export const secretRow = z.object({ value: text });

/** Parses a row; E_STORE that names the table when it holds what no version of ours wrote. */
export function parseRow<T extends z.ZodMiniType>(
  schema: T,
  row: Row,
  where: { file: string; table: string },
): z.infer<T> {
  const parsed = schema.safeParse(row);
  if (parsed.success) return parsed.data;
  throw damaged(where.file, `a row of ${where.table}: ${z.prettifyError(parsed.error)}`, parsed.error);
}
