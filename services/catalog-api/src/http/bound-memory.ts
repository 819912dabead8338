import type { Logger } from '@outbound/service-kit';
import type { FastifyRequest } from 'fastify';
import { AnswersInFlight, type AnswerLimits } from './answers-in-flight.ts';
import { BodiesInFlight } from './bodies-in-flight.ts';
import type { Server } from './server.ts';

/** Whose answers are counted together: the principal's, or where nobody is asked who he is, those of an address. */
export function callerOf(request: FastifyRequest): string {
  return request.principal?.id ?? `address ${request.ip}`;
}

/** How often answers that nobody takes are looked for. */
const sweepMs = 1_000;

/**
 * Bounds what callers can make the service hold, however many they are (I9): connections, bodies that arrive, answers that wait to be taken.
 * @returns the answers, for routes that know the size of one before they make it.
 */
export function boundMemory(
  app: Server,
  logger: Logger,
  limits: AnswerLimits & { readonly bodiesInFlightBytes: number; readonly maxConnections: number },
): AnswersInFlight {
  const answers = new AnswersInFlight(limits);
  const bodies = new BodiesInFlight(limits.bodiesInFlightBytes);
  app.server.maxConnections = limits.maxConnections;
  app.addHook('onRequest', (request, _reply, done) => {
    if (request.method === 'GET' || request.method === 'HEAD') answers.assertRoom();
    done();
  });
  // The last hook before the body is read, and without a pause: see `watch`.
  app.addHook('preParsing', ({ raw, routeOptions }, reply, payload, done) => {
    const { headers } = raw;
    const hasBody =
      headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
    // A stream keeps little of its body and counts that itself; to watch it would make it flow.
    if (hasBody && routeOptions.config.stream === undefined) bodies.watch(raw, reply.raw);
    done(null, payload);
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    if (typeof payload === 'string' || Buffer.isBuffer(payload))
      answers.hold(reply.raw, Buffer.byteLength(payload), callerOf(request));
    done(null, payload);
  });
  const sweep = setInterval(() => {
    const ended = answers.endUntaken();
    if (ended > 0)
      logger.warn(
        { component: 'http', ended },
        'answers were not taken in time: connections ended',
      );
  }, sweepMs);
  sweep.unref();
  app.addHook('onClose', (_app, done) => {
    clearInterval(sweep);
    done();
  });
  return answers;
}
