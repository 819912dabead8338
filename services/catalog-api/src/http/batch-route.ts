import { parseJson, stringifyJson } from '@outbound/schemas';
import type { Aggregate } from '../catalog/aggregate.ts';
import { createChunk, type CreateItem, type ItemOutcome } from '../catalog/batch.ts';
import { entityTag } from '../catalog/entity-tag.ts';
import type { Answer } from '../catalog/idempotency.ts';
import { ApiError } from '../errors.ts';
import { toViolations } from '../violations.ts';
import type { RouteServices } from './aggregate-routes.ts';
import { chunksOf, type BatchItem } from './batch-body.ts';
import type { Server } from './create-server.ts';
import { fairTurn } from './fair-turn.ts';
import { asApiError } from './framework-errors.ts';
import { readIdempotencyKey, repeatedHeader } from './idempotency-key.ts';
import { jsonMediaType } from './media-type.ts';
import { problemKinds, toProblem } from './problem.ts';
import { answers, batchAnswerSchema, batchSchema, createHeaders } from './request-schemas.ts';

/** Most violations that are listed for one item: a thousand times fifty would be an answer of megabytes. */
const maxItemViolations = 10;

/**
 * `POST /<plural>/batch`: creates up to 1,000 entities in transactions of 100, and answers for each (207). With an Idempotency-Key each
 * chunk is kept under its number, so a repeated batch does again only what was not done.
 */
export function registerBatchRoute(
  app: Server,
  aggregate: Aggregate,
  { contextOf, batchBodyLimitBytes }: RouteServices,
): void {
  const path = `/${aggregate.plural}/batch`;
  app.post(
    path,
    {
      bodyLimit: batchBodyLimitBytes,
      config: { consumes: jsonMediaType, isBatch: true, scope: aggregate.scopes.write },
      // The body is an array of items here, each of which is validated alone; the schema is for the document.
      validatorCompiler: () => (value: unknown) => ({ value }),
      schema: {
        summary: `Creates up to 1,000 ${aggregate.plural}; one bad item does not fail its neighbours`,
        operationId: `create_${aggregate.plural}`,
        tags: [aggregate.plural],
        headers: createHeaders,
        body: batchSchema(aggregate),
        response: answers({ 207: batchAnswerSchema }),
        facts: {
          example: { items: [aggregate.examples.input] },
          answerHeaders: { 207: ['Idempotent-Replayed'] },
        },
      },
    },
    async (request, reply) => {
      const key = readIdempotencyKey(request.headers['idempotency-key']);
      const context = contextOf(request);
      const batch = request.body as unknown as readonly BatchItem[];
      const takeTurn = fairTurn();
      const parts: string[] = [];
      const repeated: string[] = [];
      // One after the other: a batch takes one connection of the pool and not all of them.
      for (const [number, { start, items }] of chunksOf(batch).entries()) {
        const chunk: CreateItem[] = [];
        for (const item of items) {
          chunk.push(validate(aggregate, item));
          await takeTurn();
        }
        const idempotency =
          key === undefined || request.bodyHash === null
            ? undefined
            : { scope: `POST ${path}#${number}`, key, requestHash: request.bodyHash };
        const answerOf = (outcomes: readonly ItemOutcome[]): Answer =>
          toAnswer(outcomes, start, request.id);
        try {
          const answer = await createChunk(context, aggregate, chunk, {
            idempotency,
            answer: answerOf,
          });
          parts.push(answer.body);
          if (answer.isRepeated === true) repeated.push(`${start}-${start + chunk.length - 1}`);
        } catch (thrown) {
          const error = asApiError(thrown);
          // A wrong key or a broken first chunk is about the whole request: nothing of it was done.
          if (start === 0) throw error;
          request.log.error({ code: error.code, error: error.cause ?? error }, 'chunk failed');
          parts.push(answerOf(chunk.map(() => ({ error }))).body);
        }
      }
      return reply
        .code(207)
        .headers({
          ...(repeated.length > 0 ? { [repeatedHeader]: repeated.join(',') } : {}),
          'content-type': jsonMediaType,
        })
        .send(`{"items":[${parts.join(',')}]}`);
    },
  );
}

function validate({ input }: Aggregate, item: BatchItem): CreateItem {
  if ('error' in item) return item;
  const result = input.safeParse(parseJson(item.text));
  if (result.success) return { input: result.data };
  return {
    error: new ApiError('VALIDATION_FAILED', 'The item breaks the schema; see violations.', {
      violations: toViolations('body', result.error.issues).slice(0, maxItemViolations),
    }),
  };
}

/** The results of a chunk, as the inside of a JSON array: what is kept is put together again without being read. */
function toAnswer(outcomes: readonly ItemOutcome[], start: number, flowId: string): Answer {
  const results = outcomes.map((outcome, offset) => {
    const index = start + offset;
    if ('entity' in outcome) {
      const { id, version } = outcome.entity;
      return stringifyJson({ index, status: 201, id, etag: entityTag(version) });
    }
    const { error } = outcome;
    const { status } = problemKinds[error.code];
    return stringifyJson({ index, status, problem: toProblem(error, flowId) });
  });
  return { status: 207, headers: {}, body: results.join(',') };
}
