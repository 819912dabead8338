import { isJsonObject, parseJson, stringifyJson } from '@outbound/contract';
import { z } from 'zod';
import type { Aggregate } from '../catalog/aggregate.ts';
import { listVersions } from '../catalog/versions.ts';
import type { RouteServices } from './route-services.ts';
import { callerOf } from './bound-memory.ts';
import type { Server } from './server.ts';
import { readEntityId } from './entity-id.ts';
import { fieldsParameter, pickFields } from './fields.ts';
import { parametersOf } from './list-query.ts';
import { jsonMediaType } from './media-type.ts';
import { pageLinks } from './page-links.ts';
import { answers, flowHeaders, idParams, limitQuery } from './request-schemas.ts';

/** `GET /<plural>/{id}/versions`: what an entity was, as far back as its events are kept. */
export function registerVersionsRoute(
  app: Server,
  aggregate: Aggregate,
  { contextOf, publicUrl, pageBytes, answersInFlight }: RouteServices,
): void {
  const { name, plural, scopes } = aggregate;
  app.get(
    `/${plural}/:id/versions`,
    {
      config: { scope: scopes.read },
      schema: {
        summary: `Lists what a ${name} was, the newest version first`,
        description:
          'As far back as events are kept: `kept_since` says from when on none is missing. Versions from before may be there, or not; version 1 is the creation. A page ends when its bytes are used up; whether there are more is said by `next` alone.',
        operationId: `list_${name}_versions`,
        tags: [plural],
        headers: flowHeaders,
        params: idParams,
        querystring: z.strictObject({
          ...limitQuery,
          fields: fieldsParameter(aggregate.entity).optional(),
        }),
        response: answers({ 200: versionsSchema(aggregate) }),
      },
    },
    async (request, reply) => {
      const id = readEntityId(request.params.id);
      const { cursor, limit, fields } = request.query;
      const page = await listVersions(contextOf(request), aggregate, {
        ...{ id, cursor, limit, maxBytes: pageBytes },
      });
      const caller = callerOf(request);
      answersInFlight.assertRoomForPage(page.bytes, caller);
      answersInFlight.hold(reply.raw, page.bytes, caller);
      const links = pageLinks({
        ...{
          publicUrl,
          path: `/${plural}/${id}/versions`,
          parameters: parametersOf({ fields }),
          limit,
          cursor,
        },
        ...{ prev: undefined, next: page.next, changes: undefined },
      });
      const head = stringifyJson({
        ...links,
        ...(page.keptSince === undefined ? {} : { kept_since: page.keptSince }),
      }).slice(0, -1);
      // All of the data goes through as it was written: nothing of it is read here.
      const items = page.versions.map(
        ({ version, operation, occurredAt, data }) =>
          `{"version":${version},"operation":"${operation}","occurred_at":${stringifyJson(occurredAt)},"data":${fields === undefined ? data : pickedText(data, fields)}}`,
      );
      return reply
        .header('content-type', jsonMediaType)
        .send(Buffer.from(`${head},"items":[${items.join(',')}]}`));
    },
  );
}

/** The chosen fields of an entity's JSON, each as it was written, to the digit. */
function pickedText(data: string, fields: readonly string[]): string {
  const entity = parseJson(data);
  return stringifyJson(isJsonObject(entity) ? pickFields(entity, fields) : entity);
}

function versionsSchema({ entity }: Aggregate) {
  return z.object({
    self: z.string().describe('This page.'),
    first: z.string().describe('The first page.'),
    next: z.string().optional().describe('The page after, with older versions, if there is one.'),
    kept_since: z.iso
      .datetime()
      .optional()
      .describe('From this moment on no version is missing; absent where that is not known.'),
    items: z.array(
      z.object({
        version: z.int().min(1).describe('As `version` of the data, and the ETag.'),
        operation: z
          .string()
          .describe('C created, U updated, D deleted, S where only a snapshot is left.'),
        occurred_at: z.iso.datetime().describe('When it was changed.'),
        data: entity,
      }),
    ),
  });
}
