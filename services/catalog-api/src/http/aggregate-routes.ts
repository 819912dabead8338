import { stringifyJson, type Entity } from '@outbound/schemas';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Aggregate } from '../catalog/aggregate.ts';
import {
  createEntity,
  deleteEntity,
  getEntity,
  patchEntity,
  putEntity,
} from '../catalog/commands.ts';
import { entityTag, matchesWeakly } from '../catalog/entity-tag.ts';
import type { Answer } from '../catalog/idempotency.ts';
import { listEntities } from '../catalog/list.ts';
import {
  readPreconditions,
  requireAnyCondition,
  requireIfMatch,
} from '../catalog/preconditions.ts';
import type { CommandContext } from '../catalog/unit-of-work.ts';
import type { Server } from './create-server.ts';
import { assertChosenId, readEntityId } from './entity-id.ts';
import { registerBatchRoute } from './batch-route.ts';
import { repeatedHeader } from './idempotency-key.ts';
import { readChange, readCreation } from './idempotent-request.ts';
import { jsonMediaType, mergePatchMediaType } from './media-type.ts';
import { absolute, pageLinks } from './page-links.ts';
import {
  answers,
  changeHeaders,
  createHeaders,
  flowHeaders,
  idParams,
  listQuery,
  noContent,
  pageSchema,
  putHeaders,
  readHeaders,
} from './request-schemas.ts';

/** What routes need of the service around them. */
export interface RouteServices {
  readonly publicUrl: string | undefined;
  readonly batchBodyLimitBytes: number;
  /** The surroundings of a command for this request. */
  readonly contextOf: (request: FastifyRequest) => CommandContext;
}

/** The routes over one aggregate. They translate HTTP and decide nothing. */
export function registerAggregateRoutes(
  app: Server,
  aggregate: Aggregate,
  services: RouteServices,
): void {
  const { name, plural, scopes, entity, input, patch } = aggregate;
  const { contextOf, publicUrl } = services;
  const path = `/${plural}`;
  const tags = [plural];
  const route = `${path}/{id}`;
  const creationAnswer = (entity: Entity): Answer => {
    const { headers, body } = entityAnswer(entity);
    const location = absolute(publicUrl, `${path}/${entity.id}`);
    return { status: 201, headers: { ...headers, location }, body };
  };

  app.get(
    path,
    {
      config: { scope: scopes.read },
      schema: {
        summary: `Lists ${plural} by id, page by page`,
        operationId: `list_${plural}`,
        tags,
        headers: flowHeaders,
        querystring: listQuery(aggregate),
        response: answers({ 200: pageSchema(aggregate) }),
      },
    },
    async (request) => {
      const { cursor, limit, ...rest } = request.query;
      const filters = Object.fromEntries(
        Object.entries(rest).filter(
          (entry): entry is [string, string] => typeof entry[1] === 'string',
        ),
      );
      const page = await listEntities(contextOf(request), aggregate, { cursor, limit, filters });
      const { prev, next } = page;
      return {
        ...pageLinks({ publicUrl, path, filters, limit, cursor, prev, next }),
        items: page.items,
      };
    },
  );

  app.post(
    path,
    {
      config: { consumes: jsonMediaType, scope: scopes.write },
      schema: {
        summary: `Creates a ${name}`,
        operationId: `create_${name}`,
        tags,
        headers: createHeaders,
        body: input,
        response: answers({ 201: entity }),
      },
    },
    async (request, reply) => {
      const answer = await createEntity(contextOf(request), aggregate, request.body, {
        idempotency: readCreation(request, `POST ${path}`),
        answer: creationAnswer,
      });
      return sendAnswer(reply, answer);
    },
  );

  registerBatchRoute(app, aggregate, services);

  app.get(
    `${path}/:id`,
    {
      config: { scope: scopes.read },
      schema: {
        summary: `Gives a ${name}`,
        operationId: `get_${name}`,
        tags,
        headers: readHeaders,
        params: idParams,
        response: answers({ 200: entity }),
      },
    },
    async (request, reply) => {
      const id = readEntityId(request.params.id);
      const { ifNoneMatch } = readPreconditions({
        'if-none-match': request.headers['if-none-match'],
      });
      const found = await getEntity(contextOf(request), aggregate, id);
      if (ifNoneMatch !== undefined && matchesWeakly(ifNoneMatch, found.version))
        return reply.code(304).header('etag', entityTag(found.version)).send();
      return sendAnswer(reply, entityAnswer(found));
    },
  );

  app.put(
    `${path}/:id`,
    {
      config: { consumes: jsonMediaType, scope: scopes.write },
      schema: {
        summary: `Replaces a ${name} (If-Match), or creates it under this id (If-None-Match: *)`,
        operationId: `put_${name}`,
        tags,
        headers: putHeaders,
        params: idParams,
        body: input,
        response: answers({ 200: entity, 201: entity }),
      },
    },
    async (request, reply) => {
      const id = readEntityId(request.params.id);
      const conditions = readPreconditions(request.headers);
      requireAnyCondition(conditions);
      if (conditions.ifMatch === undefined) assertChosenId(id);
      const answer = await putEntity(contextOf(request), aggregate, {
        id,
        input: request.body,
        conditions,
        idempotency: readChange(request, { route, path: `${path}/${id}`, conditions }),
        answer: ({ entity: put, created }) => (created ? creationAnswer(put) : entityAnswer(put)),
      });
      return sendAnswer(reply, answer);
    },
  );

  app.patch(
    `${path}/:id`,
    {
      config: { consumes: mergePatchMediaType, scope: scopes.write },
      schema: {
        summary: `Changes some fields of a ${name} (RFC 7396)`,
        operationId: `patch_${name}`,
        tags,
        consumes: [mergePatchMediaType],
        headers: changeHeaders,
        params: idParams,
        body: patch,
        response: answers({ 200: entity }),
      },
    },
    async (request, reply) => {
      const id = readEntityId(request.params.id);
      const conditions = readPreconditions(request.headers);
      requireIfMatch(conditions);
      const answer = await patchEntity(contextOf(request), aggregate, {
        id,
        patch: request.body,
        conditions,
        idempotency: readChange(request, { route, path: `${path}/${id}`, conditions }),
        answer: entityAnswer,
      });
      return sendAnswer(reply, answer);
    },
  );

  app.delete(
    `${path}/:id`,
    {
      config: { scope: scopes.write },
      schema: {
        summary: `Deletes a ${name}`,
        operationId: `delete_${name}`,
        tags,
        headers: changeHeaders,
        params: idParams,
        response: answers({ 204: noContent }),
      },
    },
    async (request, reply) => {
      const id = readEntityId(request.params.id);
      const conditions = readPreconditions(request.headers);
      requireIfMatch(conditions);
      const answer = await deleteEntity(contextOf(request), aggregate, {
        id,
        conditions,
        idempotency: readChange(request, { route, path: `${path}/${id}`, conditions }),
        answer: () => ({ status: 204, headers: {}, body: '' }),
      });
      return sendAnswer(reply, answer);
    },
  );
}

/** Sends a kept or new answer byte for byte; a kept one says so in a header. */
export function sendAnswer(
  reply: FastifyReply,
  { status, headers, body, isRepeated }: Answer,
): FastifyReply {
  return reply
    .code(status)
    .headers({
      ...headers,
      ...(isRepeated === true ? { [repeatedHeader]: 'true' } : {}),
      ...(body === '' ? {} : { 'content-type': jsonMediaType }),
    })
    .send(body === '' ? undefined : body);
}

/** The entity in the very text that its events carry as `data`. */
function entityAnswer(entity: Entity): Answer {
  return {
    status: 200,
    headers: { etag: entityTag(entity.version) },
    body: stringifyJson(entity),
  };
}
