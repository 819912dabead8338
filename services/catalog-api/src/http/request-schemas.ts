import { moment } from '@outbound/schemas';
import { z } from 'zod';
import type { Aggregate } from '../catalog/aggregate.ts';
import { defaultLimit, maxLimit } from '../catalog/list.ts';
import { maxBatchItems } from './batch-body.ts';
import { ndjsonMediaType } from './media-type.ts';
import { problemMediaType } from './problem.ts';

/** The error body in the document. */
export const problemSchema = z
  .object({
    type: z.string().describe('Relative and never resolved: /problems/precondition-failed.'),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('What is wrong and what to do.'),
    instance: z.string().describe('Names this occurrence.'),
    flow_id: z.string(),
    violations: z
      .array(
        z.object({
          in: z.enum(['body', 'query', 'path', 'header']),
          pointer: z
            .string()
            .describe('JSON Pointer (RFC 6901), or / and the name of the parameter.'),
          message: z.string(),
        }),
      )
      .optional(),
  })
  .describe('An error (RFC 9457).');

/** No body. */
export const noContent = z.null().describe('Done; no body.');
export const withoutBody = z.null().describe('Done, and no body, as Prefer: return=minimal asked.');
export const notModified = z.null().describe('The caller has the current version; no body.');

/**
 * The answers of a route in the document, with any error. Typed loosely on purpose: the text that is sent is made once, by the command that also
 * stores or publishes it, so Fastify has no object to check.
 */
export function answers(byStatus: Readonly<Record<number, z.ZodType | LineStream>>): unknown {
  return {
    ...byStatus,
    default: {
      description: 'Any error; see type.',
      content: { [problemMediaType]: { schema: problemSchema } },
    },
  };
}

/** The path's id. Its form is checked by `readEntityId`, which has a problem type of its own. */
export const idParams = z.object({ id: z.string().describe('UUIDv7 of the entity.') });

/** Headers, described for the document; what they mean is checked where they are read. */
export const flowHeaders = z.object({
  'x-flow-id': z.string().optional().describe('Names the request in logs and events (rule 233).'),
});
const idempotencyKey = z
  .string()
  .optional()
  .describe(
    '1 to 255 visible ASCII characters; a repeated request gets the first answer for 24 hours, with the header Idempotent-Replayed.',
  );
const prefer = z
  .string()
  .optional()
  .describe('return=minimal: the answer is without a body (RFC 7240).');
export const createHeaders = flowHeaders.extend({ 'idempotency-key': idempotencyKey, prefer });
export const readHeaders = flowHeaders.extend({
  'if-match': z
    .string()
    .optional()
    .describe('ETag of the version that is wanted; 412 if it is not current.'),
  'if-none-match': z
    .string()
    .optional()
    .describe('ETag that the caller has; 304 if it is current.'),
});
export const changeHeaders = flowHeaders.extend({
  'if-match': z
    .string()
    .optional()
    .describe('ETag of the version that is changed, or *; 428 without it.'),
  'idempotency-key': idempotencyKey,
});
export const patchHeaders = changeHeaders.extend({ prefer });
export const putHeaders = patchHeaders.extend({
  'if-match': z
    .string()
    .optional()
    .describe('ETag of the version that is replaced, or *; 428 with neither.'),
  'if-none-match': z.string().optional().describe('* creates; 428 with neither.'),
});

/** Where a page begins, and its length. */
export const limitQuery = {
  cursor: z.string().max(200).optional().describe('From a link of a page; opaque.'),
  limit: z
    .string()
    .regex(/^[1-9]\d{0,3}$/, `must be a whole number from 1 to ${maxLimit}`)
    .transform(Number)
    .pipe(z.number().max(maxLimit, `must be a whole number from 1 to ${maxLimit}`))
    .default(defaultLimit)
    .meta({ type: 'integer', minimum: 1, maximum: maxLimit }),
};

/** A page (Zalando rule 248). */
export function pageSchema({ entity }: Aggregate) {
  return z.object({
    self: z.string().describe('This page.'),
    first: z.string().describe('The first page.'),
    prev: z.string().optional().describe('The page before, if there is one.'),
    next: z.string().optional().describe('The page after, if there is one.'),
    changes: z
      .string()
      .optional()
      .describe(
        'On the last page of what was changed after a time: ask here later for what has been changed since, again and again. Nothing is missed, some things come twice.',
      ),
    items: z.array(entity),
  });
}

/** A batch as the document shows it; it is read item by item by `readBatch`. */
export function batchSchema(item: z.ZodType) {
  return z.strictObject({ items: z.array(item).min(1).max(maxBatchItems) });
}

/** The answer to a batch, item by item (Zalando rule 152). */
export const batchAnswerSchema = z.object({
  items: z.array(
    z.object({
      index: z.int().describe('Place in the request, from 0.'),
      status: z.int().describe('As if the item had been sent alone.'),
      id: z.string().optional(),
      etag: z.string().optional(),
      problem: problemSchema.optional(),
    }),
  ),
});

/** A stream of lines in the document, where one schema stands for each of them. */
interface LineStream {
  readonly description: string;
  readonly content: Readonly<Record<string, { readonly schema: z.ZodType }>>;
}

const ndjson = (line: z.ZodType, description: string): LineStream => ({
  description,
  content: { [ndjsonMediaType]: { schema: line } },
});

/** An export: head, entities, and an end without which it is not whole. */
export function exportLines({ entity, plural }: Aggregate) {
  return ndjson(
    z.union([
      z.object({
        export: z.object({
          event_type: z.string().describe('Its events go on from here.'),
          position: z
            .string()
            .describe(
              'Position in the write-ahead log: all that was committed before it is in the export. Compares with `source_lsn` of events.',
            ),
          at: moment.describe('When that was, by the clock that gives events their time.'),
          after: z.string().optional(),
          query: z
            .string()
            .optional()
            .describe('The filters and fields that were asked for: it is not all there is.'),
        }),
      }),
      entity,
      z.object({ end: z.object({ count: z.int(), position: z.string() }) }),
      z.object({ problem: problemSchema }),
    ]),
    `One line first, the ${plural} by id, and one line at the end; or a problem, and then it is not whole.`,
  );
}

/** Headers of an import. */
export const importHeaders = createHeaders.extend({
  prefer: z
    .string()
    .optional()
    .describe('return=minimal: only what failed, and how far it is (rule 181).'),
});

/** The answer to an import, line by line (Zalando rule 152). */
export const importOutcomes = ndjson(
  z.union([
    z.object({
      line: z.int().describe('Its number in the body, from 1; empty lines count.'),
      status: z.int().describe('As if the line had been sent alone.'),
      id: z.string().optional(),
      etag: z.string().optional(),
      problem: problemSchema.optional(),
    }),
    z.object({
      done: z.int().describe('With return=minimal: the lines up to this one are done.'),
      lines: z.int(),
      succeeded: z.int(),
      failed: z.int(),
      repeated: z.int(),
    }),
    z.object({
      end: z.object({
        lines: z.int(),
        succeeded: z.int(),
        failed: z.int(),
        repeated: z.int().describe('How many had been done before under the Idempotency-Key.'),
      }),
    }),
    z.object({ problem: problemSchema }),
  ]),
  'An outcome for each line, then `end`; or a problem, and then lines without an outcome were not done.',
);
