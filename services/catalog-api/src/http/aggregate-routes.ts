import { stringifyJson } from '@outbound/contract';
import type { Entity } from '@outbound/outbox';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { Aggregate } from '../catalog/aggregate.ts';
import {
  createEntity,
  deleteEntity,
  getEntity,
  patchEntity,
  putEntity,
} from '../catalog/commands.ts';
import { entityTag, matchesWeakly } from '../catalog/entity-tag.ts';
import { entityText } from '../catalog/entity-text.ts';
import type { Answer } from '../catalog/idempotency.ts';
import {
  assertPreconditions,
  readPreconditions,
  requireAnyCondition,
  requireIfMatch,
} from '../catalog/preconditions.ts';
import type { Server } from './server.ts';
import { assertChosenId, readEntityId } from './entity-id.ts';
import { registerBatchRoutes } from './batch-route.ts';
import { registerExportRoute } from './export-route.ts';
import { registerImportRoutes } from './import-route.ts';
import { repeatedHeader } from './idempotency-key.ts';
import { readChange, readCreation } from './idempotent-request.ts';
import { jsonMediaType, mergePatchMediaType } from './media-type.ts';
import { readReturnPreference, type ReturnPreference } from './prefer.ts';
import { fieldsParameter, pickFields } from './fields.ts';
import { registerListRoute } from './list-route.ts';
import { absolute } from './page-links.ts';
import type { RouteServices } from './route-services.ts';
import { registerVersionsRoute } from './versions-route.ts';
import {
  answers,
  changeHeaders,
  createHeaders,
  idParams,
  noContent,
  notModified,
  patchHeaders,
  putHeaders,
  readHeaders,
  withoutBody,
} from './request-schemas.ts';

/** Most keys of a body that replaces: patch by patch an entity may have grown beyond the keys of any one request, and whoever reads it can send it back. Its bytes are bounded. */
const maxReplacedKeys = 16_384;

/** The routes over one aggregate. They translate HTTP and decide nothing. */
export function registerAggregateRoutes(
  app: Server,
  aggregate: Aggregate,
  services: RouteServices,
): void {
  const { name, plural, scopes, entity, input, patch, examples } = aggregate;
  const { contextOf, publicUrl } = services;
  const path = `/${plural}`;
  const tags = [plural];
  const route = `${path}/{id}`;
  const creationAnswer = (entity: Entity): Answer => {
    const { headers, body } = entityAnswer(entity);
    const location = absolute(publicUrl, `${path}/${entity.id}`);
    return { status: 201, headers: { ...headers, location }, body };
  };

  registerListRoute(app, aggregate, services);

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
        facts: {
          example: examples.input,
          answerHeaders: { 201: ['ETag', 'Location', 'Idempotent-Replayed', 'Preference-Applied'] },
        },
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

  registerBatchRoutes(app, aggregate, services);
  registerImportRoutes(app, aggregate, services);
  registerExportRoute(app, aggregate, services);

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
        querystring: z.object({ fields: fieldsParameter(entity).optional() }),
        response: answers({ 200: entity, 304: notModified }),
        facts: { answerHeaders: { 200: ['ETag'], 304: ['ETag'] } },
      },
    },
    async (request, reply) => {
      const id = readEntityId(request.params.id);
      const { ifMatch, ifNoneMatch } = readPreconditions(request.headers);
      const found = await getEntity(contextOf(request), aggregate, id);
      // If-Match first (RFC 9110 13.2.2); of If-None-Match a read makes a 304 and no refusal.
      if (ifMatch !== undefined) assertPreconditions({ ifMatch }, found.version);
      if (ifNoneMatch !== undefined && matchesWeakly(ifNoneMatch, found.version))
        return reply.code(304).header('etag', entityTag(found.version)).send();
      const { fields } = request.query;
      const { headers, body } = entityAnswer(found);
      return reply
        .headers({ ...headers, 'content-type': jsonMediaType })
        .send(fields === undefined ? body : stringifyJson(pickFields(found, fields)));
    },
  );

  registerVersionsRoute(app, aggregate, services);

  app.put(
    `${path}/:id`,
    {
      config: { consumes: jsonMediaType, maxKeys: maxReplacedKeys, scope: scopes.write },
      // Of what is sent, fields that the entity has already are judged as stored ones, and which those are shows under its lock.
      validatorCompiler: () => (value: unknown) => ({ value }),
      schema: {
        summary: `Replaces a ${name} (If-Match), or creates it under this id (If-None-Match: *)`,
        operationId: `put_${name}`,
        tags,
        headers: putHeaders,
        params: idParams,
        body: input,
        response: answers({ 200: entity, 201: entity, 204: withoutBody }),
        facts: {
          example: examples.input,
          answerHeaders: {
            200: ['ETag', 'Idempotent-Replayed', 'Preference-Applied'],
            201: ['ETag', 'Location', 'Idempotent-Replayed', 'Preference-Applied'],
            204: ['ETag', 'Idempotent-Replayed', 'Preference-Applied'],
          },
        },
      },
    },
    async (request, reply) => {
      const id = readEntityId(request.params.id);
      const conditions = readPreconditions(request.headers);
      requireAnyCondition(conditions);
      if (conditions.ifMatch === undefined) assertChosenId(id);
      const answer = await putEntity(contextOf(request), aggregate, {
        id,
        body: request.body,
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
        headers: patchHeaders,
        params: idParams,
        body: patch,
        response: answers({ 200: entity, 204: withoutBody }),
        facts: {
          example: examples.patch,
          requiredHeaders: ['if-match'],
          answerHeaders: {
            200: ['ETag', 'Idempotent-Replayed', 'Preference-Applied'],
            204: ['ETag', 'Idempotent-Replayed', 'Preference-Applied'],
          },
        },
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
        facts: {
          requiredHeaders: ['if-match'],
          answerHeaders: { 204: ['Idempotent-Replayed'] },
        },
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

/**
 * Sends a kept or new answer byte for byte; a kept one says so in a header. With `Prefer: return=minimal` the body is left out here and not before, so that
 * a repetition may prefer another thing than the first request.
 */
export function sendAnswer(reply: FastifyReply, answer: Answer): FastifyReply {
  const preference = readReturnPreference(reply.request.headers['prefer']);
  const { status, headers, body, isRepeated } =
    preference === undefined ? answer : preferred(answer, preference);
  return reply
    .code(status)
    .headers({
      ...(body === '' ? {} : { 'content-type': jsonMediaType }),
      // What was erased since is kept as a problem, and says so.
      ...headers,
      ...(isRepeated === true ? { [repeatedHeader]: 'true' } : {}),
    })
    .send(body === '' ? undefined : body);
}

/** The answer to a change as it is preferred; one that has no body anyway, or is a problem, stays as it is. Source: RFC 7240 4.2. */
function preferred(answer: Answer, preference: ReturnPreference): Answer {
  if (answer.body === '' || answer.status >= 400) return answer;
  const headers = { ...answer.headers, 'preference-applied': `return=${preference}` };
  if (preference === 'representation') return { ...answer, headers };
  return { ...answer, status: answer.status === 200 ? 204 : answer.status, headers, body: '' };
}

/** The entity in the very text that its events carry as `data`. */
function entityAnswer(entity: Entity): Answer {
  return {
    status: 200,
    headers: { etag: entityTag(entity.version) },
    body: entityText(entity),
  };
}
