import type { JsonLimits } from '@outbound/contract';
import type { FastifyRequest } from 'fastify';
import { ApiError } from '../errors.ts';
import { readBatch } from './batch-body.ts';
import type { StreamKind } from '../streams/stream-places.ts';
import type { Server } from './server.ts';
import { requestHash } from './idempotency-key.ts';
import { readBodyText, readJson } from './json-body.ts';
import {
  assertMediaType,
  jsonMediaType,
  mergePatchMediaType,
  ndjsonMediaType,
  type BodyMediaType,
} from './media-type.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The media type of the route's body; a route without it ignores what is sent. */
    readonly consumes?: BodyMediaType;
    /** The body is `{"items": […]}`, read item by item; what one of them may hold. */
    readonly batchLimits?: JsonLimits;
    /** The route takes or gives a stream, which has bounds of its own (`streams/`) in place of those for bodies and answers. */
    readonly stream?: StreamKind;
    /** Most keys of the body, where they may be more than 1,000. */
    readonly maxKeys?: number;
  }
  interface FastifyRequest {
    /** SHA-256 of the body's bytes; null without a body, and without an Idempotency-Key, which alone asks for it. */
    bodyHash: Buffer | null;
  }
}

/** Bodies are read by our lossless parser and by nothing else: Fastify's own would lose digits and take duplicate keys. */
export function registerBodyParser(app: Server): void {
  app.removeAllContentTypeParsers();
  app.decorateRequest('bodyHash', null);
  app.addContentTypeParser<Buffer>(
    [jsonMediaType, mergePatchMediaType],
    { parseAs: 'buffer' },
    (request: FastifyRequest, bytes, done) => {
      const { consumes, batchLimits, maxKeys } = request.routeOptions.config;
      if (consumes === undefined) {
        done(null, undefined);
        return;
      }
      try {
        const text = readBodyText(bytes);
        if (request.headers['idempotency-key'] !== undefined) request.bodyHash = requestHash(bytes);
        if (batchLimits === undefined) done(null, readJson(text, maxKeys));
        else readBatch(text, batchLimits).then((items) => done(null, items), done);
      } catch (error) {
        done(error as Error);
      }
    },
  );
  // A stream is left where it is: its route reads it bit by bit.
  app.addContentTypeParser(ndjsonMediaType, (request: FastifyRequest, body, done) => {
    if (request.routeOptions.config.stream === 'import') done(null, body);
    else
      done(
        new ApiError('UNSUPPORTED_MEDIA_TYPE', 'This path takes no stream.', {
          headers: { accept: jsonMediaType },
        }),
      );
  });
  app.addHook('onRequest', (request, _reply, done) => {
    const { consumes } = request.routeOptions.config;
    if (consumes !== undefined) assertMediaType(consumes, request.headers);
    done();
  });
  app.addHook('preValidation', (request, _reply, done) => {
    if (request.routeOptions.config.consumes !== undefined && request.body === undefined)
      throw new ApiError('MALFORMED_JSON', 'The body is empty. Send a JSON object.');
    done();
  });
}
