import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { stringifyJson } from '@outbound/contract';
import type { Logger } from '@outbound/service-kit';
import Fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import { registerAuthentication } from '../auth/authenticate.ts';
import { requireScopes } from '../auth/route-security.ts';
import type { TokenVerifier } from '../auth/token-verifier.ts';
import { ApiError, type Violation } from '../errors.ts';
import { registerLimits, type Limits } from '../limits/register-limits.ts';
import type { ApiMetrics } from '../metrics.ts';
import { toViolations } from '../violations.ts';
import type { AnswersInFlight } from './answers-in-flight.ts';
import { type AnswerLimits } from './answers-in-flight.ts';
import { registerBodyParser } from './body-parser.ts';
import { boundMemory } from './bound-memory.ts';
import { answerClientError } from './client-error.ts';
import { ConnectionTurns } from './connection-turns.ts';
import { isFlowId } from './flow-id.ts';
import { asApiError } from './framework-errors.ts';
import { refuseUnknownPath, watchMethods } from './method-not-allowed.ts';
import { problemHeaders, problemKinds, toProblem } from './problem.ts';
import type { Server } from './server.ts';
import { Streams, type StreamSettings } from '../streams/streams.ts';

/** Longest request target. */
export const maxUrlBytes = 8 * 1_024;
/** Request line and headers together. */
export const maxHeaderBytes = 16 * 1_024;

/** Limits of the server; see `config.ts`. */
export interface ServerLimits extends Limits, AnswerLimits, StreamSettings {
  readonly bodyLimitBytes: number;
  readonly bodiesInFlightBytes: number;
  readonly requestTimeoutMs: number;
  readonly maxConnections: number;
}

/**
 * The HTTP server without routes, and what must be called after the last route (`watchMethods`): flow ids, limits, problem+json for whatever goes wrong, metrics and one log line per request.
 *
 * Fastify answers some errors by itself in another shape; each of these ways is closed here: its errors (`setErrorHandler`), unroutable
 * URLs (`frameworkErrors`), unknown paths, requests during a shutdown (`return503OnClosing`: what has come on a connection that is still open is done), and what Node's parser refuses
 * (`clientErrorHandler`, `requireHostHeader`, `checkExpectation`).
 */
export function createServer(options: {
  readonly logger: Logger;
  readonly metrics: ApiMetrics;
  readonly limits: ServerLimits;
  /** Undefined admits everybody. */
  readonly verifier: TokenVerifier | undefined;
  /** From then on each answer ends its connection, so that callers go elsewhere before this instance refuses them. */
  readonly isStopping: () => boolean;
}): {
  readonly app: Server;
  readonly answersInFlight: AnswersInFlight;
  readonly streams: Streams;
  readonly answerOtherMethods: () => void;
} {
  const { logger, metrics, limits, verifier, isStopping } = options;
  // Without the wider type, Fastify's instance has pino's, and no function here could name it.
  const baseLogger: FastifyBaseLogger = logger;
  const streams = new Streams(limits);
  const turns = new ConnectionTurns();
  let isClosing = false;

  /** Else a connection whose request was under way stays open, and the process with it, until the keep-alive timeout. */
  const endWhileStopping = ({ raw }: Pick<FastifyReply, 'raw'>): void => {
    if (isClosing || isStopping()) raw.setHeader('connection', 'close');
  };

  const sendError = (
    thrown: unknown,
    request: FastifyRequest,
    reply: FastifyReply,
  ): FastifyReply => {
    const error = asApiError(thrown);
    const { status } = problemKinds[error.code];
    if (status >= 500)
      request.log.error({ code: error.code, error: error.cause ?? error }, 'request failed');
    return reply
      .code(status)
      .headers(problemHeaders(error))
      .send(JSON.stringify(toProblem(error, request.id)));
  };

  const app = Fastify({
    loggerInstance: baseLogger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'flowId' }),
    genReqId: ({ headers }) => {
      const sent = headers['x-flow-id'];
      return typeof sent === 'string' && isFlowId(sent) ? sent : randomUUID();
    },
    bodyLimit: limits.bodyLimitBytes,
    requestTimeout: limits.requestTimeoutMs,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: maxUrlBytes },
    http: {
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: Math.ceil(limits.requestTimeoutMs / 3),
      connectionsCheckingInterval: Math.min(1_000, Math.ceil(limits.requestTimeoutMs / 10)),
      requireHostHeader: false,
    },
    clientErrorHandler: (error, socket) => {
      // Node says so once for each request. Whoever sends a stream may take his time, and is watched by whoever reads it.
      if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && streams.isExempt(socket)) return;
      answerClientError(error, socket, { turns, newFlowId: randomUUID });
    },
    // Such a request has no route, so it goes through no hook.
    frameworkErrors: (thrown, request, reply) => {
      endWhileStopping(reply);
      writeProblem(reply.raw, asApiError(thrown), request.id);
    },
  }).withTypeProvider<ZodTypeProvider>();

  app.server.on('checkExpectation', (request, response) => {
    const error = new ApiError('EXPECTATION_FAILED', 'Only Expect: 100-continue can be met.', {
      headers: { connection: 'close' },
    });
    writeProblem(response, error, randomUUID());
    request.resume();
  });

  app.setReplySerializer((payload) => stringifyJson(payload));
  app.setSerializerCompiler(() => (payload) => stringifyJson(payload));
  app.setValidatorCompiler<z.ZodType>(({ schema, httpPart }) => (value) => {
    const result = schema.safeParse(value);
    return result.success ? { value: result.data } : { error: schemaError(httpPart, result.error) };
  });
  // Fastify would wrap the validator's error; ours is an answer already.
  app.setSchemaErrorFormatter((errors) => (errors as unknown as { error: ApiError }).error);
  app.setErrorHandler(sendError);
  app.setNotFoundHandler(refuseUnknownPath);
  const answerOtherMethods = watchMethods(app);
  requireScopes(app);

  app.addHook('preClose', (done) => {
    isClosing = true;
    streams.close();
    done();
  });
  turns.register(app);
  app.addHook('onRequest', (request, reply, done) => {
    reply.raw.setHeader('x-flow-id', request.id);
    done(refusalOfHead(request));
  });
  app.addHook('onSend', (_request, reply, payload, done) => {
    endWhileStopping(reply);
    done(null, payload);
  });
  // After the hook that sets the flow id, which their refusals need; who it is comes before what is sent.
  registerAuthentication(app, verifier);
  metrics.watchLoad(registerLimits(app, limits));
  const answersInFlight = boundMemory(app, logger, limits);
  registerBodyParser(app);
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unmatched';
    const durationSeconds = reply.elapsedTime / 1_000;
    metrics.observeRequest({
      method: request.method,
      route,
      status: reply.statusCode,
      durationSeconds,
    });
    request.log.info(
      {
        method: request.method,
        route,
        status: reply.statusCode,
        durationMs: Math.round(reply.elapsedTime * 10) / 10,
        principal: request.principal?.id,
      },
      'request answered',
    );
    done();
  });
  return { app, answersInFlight, streams, answerOtherMethods };
}

/** Answers where Fastify has no reply yet. */
function writeProblem(response: ServerResponse, error: ApiError, flowId: string): void {
  const body = JSON.stringify(toProblem(error, flowId));
  response
    .writeHead(problemKinds[error.code].status, {
      ...problemHeaders(error),
      'content-length': Buffer.byteLength(body),
      'x-flow-id': flowId,
    })
    .end(body);
}

/** What is wrong with a request as its head alone shows. */
function refusalOfHead(request: FastifyRequest): ApiError | undefined {
  const { raw, headers } = request;
  // Node's parser takes a request line without a version for HTTP/0.9, whose answers have no head.
  if (raw.httpVersion !== '1.1' && raw.httpVersion !== '1.0')
    return new ApiError('MALFORMED_REQUEST', 'This is not an HTTP/1.1 request.', {
      headers: { connection: 'close' },
    });
  if (raw.httpVersion === '1.1' && headers.host === undefined)
    return new ApiError('MALFORMED_REQUEST', 'Send the Host header (RFC 9112 3.2).', {
      headers: { connection: 'close' },
    });
  if (Buffer.byteLength(raw.url ?? '') > maxUrlBytes)
    return new ApiError('URI_TOO_LONG', `The URL is longer than ${maxUrlBytes} bytes.`);
  if (!isUtf8Query(raw.url ?? ''))
    return new ApiError(
      'MALFORMED_REQUEST',
      'The query is not UTF-8 in percent-encoding (RFC 3986 2.5): encode each byte of a character beyond ASCII.',
    );
  const flowId = headers['x-flow-id'];
  if (flowId !== undefined && (typeof flowId !== 'string' || !isFlowId(flowId))) {
    const message = 'expected 1 to 128 of the characters A-Z a-z 0-9 / + _ - =';
    return new ApiError('INVALID_HEADER', `X-Flow-ID: ${message}.`, {
      violations: [{ in: 'header', pointer: '/x-flow-id', message }],
    });
  }
  return undefined;
}

/** Whether the query can be read as it was meant: the router's decoder leaves in what it cannot decode, and would look for that text. */
function isUtf8Query(url: string): boolean {
  const start = url.indexOf('?');
  if (start === -1) return true;
  const query = url.slice(start);
  // Node gives bytes beyond ASCII as they came, as Latin-1.
  if (/[^\x21-\x7e]/.test(query)) return false;
  try {
    decodeURIComponent(query);
    return true;
  } catch {
    return false;
  }
}

function schemaError(httpPart: string | undefined, error: z.ZodError): ApiError & Error {
  const where: Violation['in'] =
    httpPart === 'querystring'
      ? 'query'
      : httpPart === 'params'
        ? 'path'
        : httpPart === 'headers'
          ? 'header'
          : 'body';
  return new ApiError('VALIDATION_FAILED', 'The request breaks the schema; see violations.', {
    violations: toViolations(where, error.issues),
  });
}
