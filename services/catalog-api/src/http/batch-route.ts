import type { Aggregate } from '../catalog/aggregate.ts';
import type { BulkItem, ItemOutcome } from '../catalog/bulk/bulk-item.ts';
import { writeChunk } from '../catalog/bulk/write-chunk.ts';
import type { Answer } from '../catalog/idempotency.ts';
import type { RouteServices } from './route-services.ts';
import { chunkAnswer } from './batch-answer.ts';
import { chunksOf, type BatchItem } from './batch-body.ts';
import { batchKinds, readItem, type BatchKind } from './batch-items.ts';
import type { Server } from './server.ts';
import { fairTurn } from './fair-turn.ts';
import { asApiError } from './framework-errors.ts';
import { readIdempotencyKey, repeatedHeader } from './idempotency-key.ts';
import { jsonMediaType } from './media-type.ts';
import { readReturnPreference } from './prefer.ts';
import { answers, batchAnswerSchema, batchSchema, createHeaders } from './request-schemas.ts';

/** `POST`, `PUT`, `PATCH` and `DELETE /<plural>/batch`. */
export function registerBatchRoutes(
  app: Server,
  aggregate: Aggregate,
  services: RouteServices,
): void {
  for (const kind of batchKinds) registerBatchRoute(app, aggregate, kind, services);
}

/**
 * Up to 1,000 items in transactions of 100, with an answer for each (207). With an Idempotency-Key each chunk is kept under its number, so a repeated batch does again only
 * what was not done.
 */
function registerBatchRoute(
  app: Server,
  aggregate: Aggregate,
  kind: BatchKind,
  { contextOf, batchBodyLimitBytes }: RouteServices,
): void {
  const { plural, scopes } = aggregate;
  const url = `/${plural}/batch`;
  app.route({
    method: kind.method,
    url,
    bodyLimit: batchBodyLimitBytes,
    config: {
      consumes: jsonMediaType,
      batchLimits: kind.limits,
      scope: scopes.write,
    },
    // The body is an array of items here, each of which is validated alone; the schema is for the document.
    validatorCompiler: () => (value: unknown) => ({ value }),
    schema: {
      summary: kind.summary(plural),
      operationId: `${kind.operation}_${plural}`,
      tags: [plural],
      headers: createHeaders,
      body: batchSchema(kind.item(aggregate)),
      response: answers({ 207: batchAnswerSchema }),
      facts: {
        example: { items: [kind.example(aggregate)] },
        answerHeaders: { 207: ['Idempotent-Replayed', 'Preference-Applied'] },
      },
    },
    handler: async (request, reply) => {
      const key = readIdempotencyKey(request.headers['idempotency-key']);
      const context = contextOf(request);
      const batch = request.body as unknown as readonly BatchItem[];
      const takeTurn = fairTurn();
      const parts: string[] = [];
      const repeated: string[] = [];
      // One after the other: a batch takes one connection of the pool and not all of them.
      for (const [number, { start, items: sent }] of chunksOf(batch).entries()) {
        const items: BulkItem[] = [];
        for (const item of sent) {
          items.push(readItem(kind, aggregate, item));
          await takeTurn();
        }
        const idempotency =
          key === undefined || request.bodyHash === null
            ? undefined
            : { scope: `${kind.method} ${url}#${number}`, key, requestHash: request.bodyHash };
        const answer = (outcomes: readonly ItemOutcome[]): Answer =>
          chunkAnswer(kind, { start, items }, outcomes, request.id);
        try {
          const { body, isRepeated } = await writeChunk(context, aggregate, items, {
            idempotency,
            answer,
          });
          parts.push(body);
          if (isRepeated === true) repeated.push(`${start}-${start + items.length - 1}`);
        } catch (thrown) {
          const error = asApiError(thrown);
          // A wrong key or a broken first chunk is about the whole request: nothing of it was done.
          if (start === 0) throw error;
          request.log.error({ code: error.code, error: error.cause ?? error }, 'chunk failed');
          parts.push(answer(items.map(() => ({ error }))).body);
        }
        await takeTurn();
      }
      // What became of each is all that is told, whatever is preferred.
      const isMinimal = readReturnPreference(request.headers['prefer']) === 'minimal';
      return reply
        .code(207)
        .headers({
          ...(repeated.length > 0 ? { [repeatedHeader]: repeated.join(',') } : {}),
          ...(isMinimal ? { 'preference-applied': 'return=minimal' } : {}),
          'content-type': jsonMediaType,
        })
        .send(`{"items":[${parts.join(',')}]}`);
    },
  });
}
