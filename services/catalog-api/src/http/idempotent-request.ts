import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { IdempotencyRequest } from '../catalog/idempotency.ts';
import type { Preconditions } from '../catalog/preconditions.ts';
import { readIdempotencyKey } from './idempotency-key.ts';

/**
 * Reads the Idempotency-Key of a request that creates. Its body is all that tells it from another one of this operation.
 * @param operation what the key belongs to: `POST /products`.
 * @throws ApiError INVALID_HEADER
 */
export function readCreation(
  request: FastifyRequest,
  operation: string,
): IdempotencyRequest | undefined {
  const key = readIdempotencyKey(request.headers['idempotency-key']);
  if (key === undefined || request.bodyHash === null) return undefined;
  return { scope: operation, key, requestHash: request.bodyHash };
}

/**
 * Reads the Idempotency-Key of a request that changes what exists. Another one is whatever differs in method, path, preconditions or body.
 * @param change the method and the route, which the key belongs to; the path as it is known here, so that another spelling of an id is the same.
 * @throws ApiError INVALID_HEADER
 */
export function readChange(
  request: FastifyRequest,
  change: {
    readonly route: string;
    readonly path: string;
    readonly conditions: Preconditions;
  },
): IdempotencyRequest | undefined {
  const key = readIdempotencyKey(request.headers['idempotency-key']);
  if (key === undefined) return undefined;
  const { method, bodyHash } = request;
  const { ifMatch = null, ifNoneMatch = null } = change.conditions;
  const parts = [method, change.path, ifMatch, ifNoneMatch, bodyHash?.toString('hex') ?? null];
  return {
    scope: `${method} ${change.route}`,
    key,
    requestHash: createHash('sha256').update(JSON.stringify(parts)).digest(),
  };
}
