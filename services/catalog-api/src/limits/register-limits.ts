import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiError } from '../errors.ts';
import { publicScope } from '../auth/route-security.ts';
import type { Server } from '../http/server.ts';
import { FairGate } from './fair-gate.ts';
import { RateLimiter } from './rate-limiter.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Gives the place at the gate back; null where there is none. */
    leaveGate: (() => void) | null;
    /** Of a stream, which enters for each thing that it asks of the database: waits for a place, and gives what leaves it. @throws ApiError OVERLOADED */
    enterGate: () => Promise<() => void>;
  }
}

/** See `limitSettings`, and the pool's settings in `config.ts`. */
export interface Limits {
  readonly rateLimitPerSecond: number;
  readonly rateLimitBurst: number;
  readonly maxRequests: number;
  readonly maxRequestsPerCaller: number;
  readonly poolSize: number;
  readonly poolSizePerCaller: number;
  readonly poolQueueSize: number;
  readonly connectionTimeoutMs: number;
}

/** What is under way, for metrics. */
export interface LoadCounts {
  readonly underWay: number;
  readonly waiting: number;
}

/**
 * Bounds what callers ask: the rate of each, the requests under way of each and of all, and the connections that each may use (`FairGate`). What is refused
 * was not begun.
 * **Order**: after authentication, which says who the caller is, and before bodies are read.
 */
export function registerLimits(app: Server, limits: Limits): () => LoadCounts {
  const { rateLimitPerSecond, rateLimitBurst, maxRequests, maxRequestsPerCaller } = limits;
  const limiter =
    rateLimitPerSecond === 0
      ? undefined
      : new RateLimiter({ perSecond: rateLimitPerSecond, burst: rateLimitBurst });
  const gate = new FairGate({
    capacity: limits.poolSize,
    perCaller: Math.max(1, Math.min(limits.poolSizePerCaller, limits.poolSize - 1)),
    maxWaiting: limits.poolQueueSize,
    waitMs: limits.connectionTimeoutMs,
  });
  /** Of callers with a request under way: bounded by `maxRequests`. */
  const underWayOf = new Map<string, number>();
  let underWay = 0;

  const count = (reply: FastifyReply, caller: string | undefined): void => {
    if (underWay >= maxRequests)
      throw new ApiError(
        'OVERLOADED',
        'Too many requests are under way. Nothing was written; try again.',
        { retryAfterSeconds: 1 },
      );
    const own = caller === undefined ? 0 : (underWayOf.get(caller) ?? 0);
    if (own >= maxRequestsPerCaller)
      throw tooMany(`You have ${own} requests under way, which is the most. Wait for answers.`, 1);
    underWay += 1;
    if (caller !== undefined) underWayOf.set(caller, own + 1);
    // Comes once, after the answer or a connection that broke.
    reply.raw.once('close', () => {
      underWay -= 1;
      if (caller === undefined) return;
      const left = (underWayOf.get(caller) ?? 1) - 1;
      if (left === 0) underWayOf.delete(caller);
      else underWayOf.set(caller, left);
    });
  };

  app.decorateRequest('leaveGate', null);
  app.decorateRequest('enterGate', async function (this: FastifyRequest) {
    const caller = this.principal?.id;
    return caller === undefined ? () => undefined : gate.enter(caller);
  });
  app.addHook('onRequest', (request, reply, done) => {
    const { scope } = request.routeOptions.config;
    if (request.is404 || scope === publicScope) {
      done();
      return;
    }
    const caller = request.principal?.id;
    if (caller !== undefined && limiter !== undefined) takeRate(limiter, reply, caller);
    count(reply, caller);
    done();
  });
  // After the body has come: who sends slowly must not hold a place meanwhile.
  app.addHook('preHandler', (request, _reply, done) => {
    const caller = request.principal?.id;
    if (caller === undefined || request.routeOptions.config.stream !== undefined) {
      done();
      return;
    }
    const entered = gate.enter(caller);
    if (typeof entered === 'function') {
      request.leaveGate = entered;
      done();
      return;
    }
    entered.then(
      (leave) => {
        request.leaveGate = leave;
        done();
      },
      (error: unknown) => done(error as Error),
    );
  });
  // The handler has ended, whether it gave an answer or an error: its connection is back in the pool.
  app.addHook('onSend', (request, _reply, payload, done) => {
    leave(request);
    done(null, payload);
  });
  return () => ({ underWay, waiting: gate.waitingCount });
}

function leave(request: FastifyRequest): void {
  request.leaveGate?.();
  request.leaveGate = null;
}

/** Source of the headers: Zalando rule 153. */
function takeRate(limiter: RateLimiter, reply: FastifyReply, caller: string): void {
  const standing = limiter.take(caller, performance.now());
  reply.raw.setHeader('x-ratelimit-limit', limiter.perSecond);
  reply.raw.setHeader('x-ratelimit-remaining', standing.remaining);
  reply.raw.setHeader('x-ratelimit-reset', standing.resetSeconds);
  if (!standing.isAdmitted)
    throw tooMany(
      `You may send ${limiter.perSecond} requests a second in the long run. Wait as Retry-After says.`,
      standing.retryAfterSeconds,
    );
}

function tooMany(message: string, retryAfterSeconds: number): ApiError {
  return new ApiError('TOO_MANY_REQUESTS', message, { retryAfterSeconds });
}
