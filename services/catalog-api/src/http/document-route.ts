import { opened } from '@outbound/contract';
import type { FastifySchema } from 'fastify';

/** Headers of answers, by their names in the document. */
const headerTexts = {
  'X-Flow-ID':
    'Names the request in logs and events: the one that was sent, or a new one (rule 233).',
  ETag: 'The version, for If-Match of the next change and If-None-Match of the next read.',
  Location: 'Where the new resource is; absolute if the service knows its public URL.',
  'Idempotent-Replayed':
    'Nothing was done now: the answer was given before under this Idempotency-Key. `true`, or of a batch the indexes of the items, `0-99,200-299`.',
  'Preference-Applied': 'return=minimal or return=representation, as Prefer asked (RFC 7240).',
  'Retry-After': 'With 429 and 503: seconds after which it is worth trying again.',
  Allow: 'With 405: the methods of this path.',
  'WWW-Authenticate':
    'With 401 and 403, and with 400 where the token is shown wrong: how to show one, and what this one lacks (RFC 6750).',
  'X-RateLimit-Limit':
    'Requests a second that you may send in the long run (rule 153); not there where callers have no rate.',
  'X-RateLimit-Remaining': 'Requests that you may send now.',
  'X-RateLimit-Reset': 'Seconds until all of them are there again.',
} as const;
export type AnswerHeader = keyof typeof headerTexts;

/** What an answer says by its status, where its schema does not say more. */
const answerTexts: Readonly<Record<string, string>> = {
  200: 'What was asked for, as it is now.',
  201: 'Created.',
  207: 'An outcome for each item; look at each.',
};

/** What an answer says that can be asked for in part. Its schema stays that of the whole: types that callers have made of it say what is there without `fields`. */
const wholeText =
  'What was asked for, as it is now. With `fields` only what was chosen, so members that the schema requires may be missing.';

/** Of every route, and of those that ask who calls. */
const everywhere = ['X-Flow-ID'] as const satisfies AnswerHeader[];
const toCallers = [
  ...everywhere,
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
] as const satisfies AnswerHeader[];

/** What zod schemas cannot say of a route, for the document alone. */
export interface RouteFacts {
  /** A body that is taken as it stands here; what is tried first on the page for people. */
  readonly example?: unknown;
  /** Request headers that are refused with a problem type of their own, and not by the schema, when they are missing. */
  readonly requiredHeaders?: readonly string[];
  /** By status. */
  readonly answerHeaders?: Readonly<Record<number, readonly AnswerHeader[]>>;
}

declare module 'fastify' {
  interface FastifySchema {
    readonly facts?: RouteFacts;
  }
}

/** A route as the document's generator takes it: schemas that are JSON Schema already. */
interface DocumentedRoute {
  readonly schema: FastifySchema;
  readonly url: string;
}
type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Completes a route for the document. Answers are open: a caller ignores fields that he does not know, so that one can be added (Zalando rules 108 and 110); requests stay closed,
 * because a field that nobody reads is a mistake that somebody should hear of.
 */
export function documentRoute({ schema, url }: DocumentedRoute): DocumentedRoute {
  const { facts, ...rest } = schema;
  return {
    url,
    schema: {
      ...rest,
      ...(facts?.requiredHeaders === undefined
        ? {}
        : { headers: { ...(rest.headers as JsonObject), required: facts.requiredHeaders } }),
      ...(facts?.example === undefined
        ? {}
        : { body: { ...(rest.body as JsonObject), examples: [facts.example] } }),
      ...(rest.response === undefined ? {} : { response: completeAnswers(rest, facts) }),
    },
  };
}

function completeAnswers(
  { response, querystring, security = [] }: FastifySchema,
  facts: RouteFacts | undefined,
): JsonObject {
  const asksWho = security.length > 0;
  return Object.fromEntries(
    Object.entries(response as Record<string, JsonObject>).map(([status, answer]) => {
      const own: readonly AnswerHeader[] =
        status === 'default'
          ? ['Retry-After', 'Allow', ...(asksWho ? (['WWW-Authenticate'] as const) : [])]
          : (facts?.answerHeaders?.[Number(status)] ?? []);
      const headers = Object.fromEntries(
        [...(asksWho ? toCallers : everywhere), ...own].map((name) => [
          name,
          { type: 'string', description: headerTexts[name] },
        ]),
      );
      const known = status === '200' && hasFields(querystring) ? wholeText : answerTexts[status];
      const description = 'description' in answer ? undefined : known;
      return [
        status,
        {
          ...(description === undefined ? {} : { 'x-response-description': description }),
          ...(opened(answer) as JsonObject),
          headers,
        },
      ];
    }),
  );
}

function hasFields(querystring: unknown): boolean {
  const { properties = {} } = (querystring ?? {}) as { readonly properties?: object };
  return 'fields' in properties;
}
