import { setTimeout as delay } from 'node:timers/promises';
import { parseJson, stringifyJson } from '@outbound/contract';
import { backoffMs } from '@outbound/service-kit';
import type { Aggregate } from '../catalog/aggregate.ts';
import type { BulkItem, ItemOutcome } from '../catalog/bulk/bulk-item.ts';
import { writeChunk } from '../catalog/bulk/write-chunk.ts';
import type { Answer } from '../catalog/idempotency.ts';
import { ApiError } from '../errors.ts';
import { chunkHash, readChunks, type ImportChunk } from '../streams/import-chunks.ts';
import { importAnswer, isWorthWaiting } from '../streams/import-lines.ts';
import type { NdjsonLine } from '../streams/ndjson-lines.ts';
import { begun, sendStreamed, whenClosed } from '../streams/streamed-answer.ts';
import { streamedBody } from '../streams/streamed-body.ts';
import type { RouteServices } from './route-services.ts';
import { outcomeText } from './batch-answer.ts';
import { batchKinds, type BatchKind } from './batch-items.ts';
import type { Server } from './server.ts';
import { fairTurn } from './fair-turn.ts';
import { asApiError } from './framework-errors.ts';
import { readIdempotencyKey } from './idempotency-key.ts';
import { toApiError } from './json-body.ts';
import { isGzipped, ndjsonMediaType } from './media-type.ts';
import { readReturnPreference } from './prefer.ts';
import { toProblem } from './problem.ts';
import { answers, importHeaders, importOutcomes } from './request-schemas.ts';

/** `POST`, `PUT` and `PATCH /<plural>/import`; a DELETE with a body is dropped by too many on its way. */
export function registerImportRoutes(
  app: Server,
  aggregate: Aggregate,
  services: RouteServices,
): void {
  for (const kind of batchKinds)
    if (kind.method !== 'DELETE') registerImportRoute(app, aggregate, kind, services);
}

/**
 * The items of a batch as lines, of any number: done in transactions of 100, and answered line by line while the body still comes. With an Idempotency-Key each transaction is kept under its number,
 * so an import that broke off is sent again and does only what was not done.
 */
function registerImportRoute(
  app: Server,
  aggregate: Aggregate,
  kind: BatchKind,
  { contextOf, streams }: RouteServices,
): void {
  const { plural, scopes } = aggregate;
  const url = `/${plural}/import`;
  const operation = `${kind.method} ${url}`;
  app.route({
    method: kind.method,
    url,
    config: { consumes: ndjsonMediaType, scope: scopes.write, stream: 'import' },
    // The body is a stream here, of which each line is checked alone; the schema is for the document.
    validatorCompiler: () => (value: unknown) => ({ value }),
    schema: {
      summary: `As ${kind.method} /${plural}/batch, for any number of items: one a line`,
      description:
        'An outcome for each line comes while the body is still sent: read while you write. Without the last line the import broke off: send all of it again under the same Idempotency-Key.',
      operationId: `${kind.operation}_${plural}_of_stream`,
      tags: [plural],
      consumes: [ndjsonMediaType],
      headers: importHeaders,
      // One line of it.
      body: kind.item(aggregate),
      response: answers({ 207: importOutcomes }),
      facts: { example: kind.example(aggregate), answerHeaders: { 207: ['Preference-Applied'] } },
    },
    handler: async (request, reply) => {
      const key = readIdempotencyKey(request.headers['idempotency-key']);
      const isMinimal = readReturnPreference(request.headers['prefer']) === 'minimal';
      const context = contextOf(request);
      const { raw } = request;
      const place = streams.places.take('import', context.principal);
      const endExemption = streams.exempt(raw.socket);
      const body = streamedBody(raw, {
        isGzip: isGzipped(request.headers),
        silenceMs: streams.silenceMs,
      });
      whenClosed(reply.raw, () => {
        endExemption();
        body.end();
        place.leave();
      });
      const write = async (chunk: ImportChunk, items: readonly BulkItem[]): Promise<Answer> => {
        const leave = await request.enterGate();
        try {
          return await writeChunk(context, aggregate, items, {
            idempotency:
              key === undefined
                ? undefined
                : {
                    scope: `${operation}#${chunk.number}`,
                    key,
                    requestHash: chunkHash(chunk, operation),
                  },
            answer: (outcomes) => linesAnswer(kind, chunk, items, outcomes, request.id),
          });
        } finally {
          leave();
        }
      };
      const parts = await begun(
        importAnswer({
          chunks: readChunks(body.bytes, (bytes) => place.hold('read', bytes)),
          prepare: (chunk) => checkLines(kind, aggregate, chunk),
          write: (chunk, items) => {
            streams.assertOpen();
            return patiently(() => write(chunk, items), streams.takeMs);
          },
          isMinimal,
          problemLine: (thrown) => {
            const error = asApiError(thrown);
            request.log.error(
              { code: error.code, error: error.cause ?? error },
              'import broke off',
            );
            return `${stringifyJson({ problem: toProblem(error, request.id) })}\n`;
          },
        }),
      );
      return sendStreamed(
        reply.code(207).headers({
          'content-type': ndjsonMediaType,
          ...(isMinimal ? { 'preference-applied': 'return=minimal' } : {}),
        }),
        {
          parts,
          takeMs: streams.takeMs,
          onUntaken: () =>
            request.log.warn('outcomes of an import were not taken in time: connection ended'),
          onHeld: (bytes) => place.hold('made', bytes),
        },
      );
    },
  });
}

/** Tries again while others use what is needed, for `longestMs` at the most: a stream keeps none of it while it waits. */
async function patiently<Result>(work: () => Promise<Result>, longestMs: number): Promise<Result> {
  const deadline = performance.now() + longestMs;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isWorthWaiting(error) || performance.now() > deadline) throw error;
      await delay(backoffMs({ attempt, baseMs: 50, maxMs: 1_000, random: Math.random }));
    }
  }
}

async function checkLines(
  kind: BatchKind,
  aggregate: Aggregate,
  { lines }: ImportChunk,
): Promise<readonly BulkItem[]> {
  const takeTurn = fairTurn();
  const items: BulkItem[] = [];
  for (const line of lines) {
    items.push(checkLine(kind, aggregate, line));
    await takeTurn();
  }
  return items;
}

function checkLine(kind: BatchKind, aggregate: Aggregate, line: NdjsonLine): BulkItem {
  if ('error' in line) return line;
  try {
    return kind.read(aggregate, parseJson(line.text, kind.limits));
  } catch (thrown) {
    const error = toApiError(thrown);
    if (error instanceof ApiError) return { error };
    throw thrown;
  }
}

function linesAnswer(
  kind: BatchKind,
  { lines }: ImportChunk,
  items: readonly BulkItem[],
  outcomes: readonly ItemOutcome[],
  flowId: string,
): Answer {
  const told = lines.map(({ number }, index) => {
    const outcome = outcomes[index];
    if (outcome === undefined) throw new Error(`line ${number} has no outcome`);
    return `${outcomeText(kind, { field: 'line', number, item: items[index] }, outcome, flowId)}\n`;
  });
  return { status: 207, headers: {}, body: told.join('') };
}
