import type { Aggregate } from '../catalog/aggregate.ts';
import { listEntities } from '../catalog/list.ts';
import type { RouteServices } from './route-services.ts';
import { callerOf } from './bound-memory.ts';
import type { Server } from './server.ts';
import { pickFields } from './fields.ts';
import { listQuery, readListQuery } from './list-query.ts';
import { jsonMediaType } from './media-type.ts';
import { pageBody } from './page-body.ts';
import { pageLinks } from './page-links.ts';
import { answers, flowHeaders, pageSchema } from './request-schemas.ts';

/** `GET /<plural>` and its HEAD: a page of what the filters leave, in an order. */
export function registerListRoute(
  app: Server,
  aggregate: Aggregate,
  { contextOf, publicUrl, pageBytes, answersInFlight }: RouteServices,
): void {
  const { plural, scopes } = aggregate;
  const path = `/${plural}`;
  app.get(
    path,
    {
      config: { scope: scopes.read },
      schema: {
        summary: `Lists ${plural}, filtered and in an order, page by page`,
        description:
          'A page has as many items as `limit` says, or fewer, even none: it ends when its bytes are used up, and when enough was looked at. Whether there are more is said by `next` alone. All filters have to hold; of several values of one, any.',
        operationId: `list_${plural}`,
        tags: [plural],
        headers: flowHeaders,
        querystring: listQuery(aggregate),
        response: answers({ 200: pageSchema(aggregate) }),
      },
    },
    async (request, reply) => {
      const query = readListQuery(aggregate, request.query);
      const { cursor, limit, fields, filters, sort, parameters } = query;
      const { rows, bytes, prev, next, changes } = await listEntities(
        contextOf(request),
        aggregate,
        { cursor, limit, maxBytes: pageBytes, filters, sort, fields },
      );
      // Before the page is made: from here on it is held until its caller has taken it.
      const caller = callerOf(request);
      answersInFlight.assertRoomForPage(bytes, caller);
      answersInFlight.hold(reply.raw, bytes, caller);
      const links = pageLinks({ publicUrl, path, parameters, limit, cursor, prev, next, changes });
      const body = await pageBody(links, rows, (row) =>
        pickFields(aggregate.toEntity(row), fields),
      );
      return reply.header('content-type', jsonMediaType).send(body);
    },
  );
}
