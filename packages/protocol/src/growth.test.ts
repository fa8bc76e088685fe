/** Messages may grow: either end may be a version ahead of the other, and says what the other does not know. */
import { describe, expect, it } from 'vitest';
import * as z from 'zod/mini';
import {
  agentNotices,
  agentRequests,
  controllerNotices,
  envelope,
  instanceSpec,
  manifest,
  renewReply,
  resource,
  topology,
  updateFetch,
  wireError,
} from './index.ts';

/** What a node is to do on itself: refused when it is not understood as a whole. */
const STRICT: ReadonlySet<unknown> = new Set([
  ...resource.def.options,
  ...updateFetch.def.options,
  agentRequests.stage.request.shape.spec,
]);

/** The paths of objects below a schema that refuse fields they do not know. */
function strictObjects(schema: unknown, path: string): string[] {
  if (STRICT.has(schema)) return [];
  if (schema instanceof z.ZodMiniObject) {
    const own = schema.def.catchall instanceof z.ZodMiniNever ? [path] : [];
    const fields = Object.entries(schema.shape).flatMap(([name, field]) => strictObjects(field, `${path}.${name}`));
    return [...own, ...fields];
  }
  if (schema instanceof z.ZodMiniArray) return strictObjects(schema.def.element, `${path}[]`);
  if (schema instanceof z.ZodMiniRecord) return strictObjects(schema.def.valueType, `${path}{}`);
  if (schema instanceof z.ZodMiniUnion) return schema.def.options.flatMap((it) => strictObjects(it, path));
  if (schema instanceof z.ZodMiniOptional || schema instanceof z.ZodMiniNullable || schema instanceof z.ZodMiniCatch) {
    return strictObjects(schema.def.innerType, path);
  }
  if (schema instanceof z.ZodMiniDefault) return strictObjects(schema.def.innerType, path);
  return [];
}

const requests = Object.entries(agentRequests).flatMap(([type, { request, reply }]) => [
  [type, request] as const,
  [`${type} reply`, reply] as const,
]);
const others = Object.entries({ ...agentNotices, ...controllerNotices, envelope, renewReply, wireError });

describe('fields that this version does not know', () => {
  it.each([...requests, ...others])('are ignored in %s', (name, schema) => {
    expect(strictObjects(schema, name)).toEqual([]);
  });

  it('are found where they are refused', () => {
    const nested = z.object({ list: z.optional(z.array(z.strictObject({ a: z.string() }))) });
    expect(strictObjects(nested, 'x')).toEqual(['x.list[]']);
    expect(agentRequests.stage.request.shape.spec.safeParse({}).success).toBe(false);
  });

  it('are left out of what is read', () => {
    const body = { epoch: 3, active: { blog: 'blog.20260131_001' }, at: 5, more: { deep: true } };
    expect(agentRequests.switch.reply.parse(body)).toEqual({ epoch: 3, at: 5 });
    expect(manifest.parse({ version: 1, app: 'blog', files: [], links: [], more: 1 })).not.toHaveProperty('more');
  });

  it('do not keep an older version from reading what a newer one left on disk', () => {
    const spec = {
      ...{ app: 'blog', instance: 'blog.20260131_001', platform: 'static', processes: 0, env: {}, packages: [] },
      health: { path: '/', host: 'blog.test', timeout: 5, more: 1 },
      more: 1,
    };
    expect(instanceSpec.safeParse(spec).success).toBe(true);
    expect(agentRequests.stage.request.shape.spec.safeParse(spec).success).toBe(false);
    const node = { name: 'a.test', uuid: 'u', address: '10.0.0.1', roles: ['appserver'], more: 1 };
    const known = {
      ...{ version: 1, set: 'demo', generation: 1, baseDomain: 'test', setEtcHosts: true, nodes: [node], services: [] },
      ...{ apps: [], locations: [{ host: 'a.test', path: '/', app: 'blog', more: 1 }], aliases: [], more: 1 },
    };
    expect(topology.safeParse(known).success).toBe(true);
  });

  it.each([
    ['a resource', resource, { type: 'hostname', name: 'a', more: 1 }],
    ['an update_fetch line', updateFetch, { kind: 'path', path: '/', more: 1 }],
  ])('are refused in %s, which would be done by half', (_name, schema, value) => {
    expect(schema.safeParse(value).success).toBe(false);
  });
});
