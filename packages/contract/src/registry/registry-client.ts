import { z } from 'zod';

/** Whose events a registry checks a new schema against. Source: Confluent Schema Registry's API. */
export type RegistryCompatibility =
  | 'BACKWARD'
  | 'BACKWARD_TRANSITIVE'
  | 'FORWARD'
  | 'FORWARD_TRANSITIVE'
  | 'FULL'
  | 'FULL_TRANSITIVE'
  | 'NONE';

export interface RegistryOptions {
  /** Base of the Confluent-compatible API, such as `https://registry.example.com` or `http://127.0.0.1:8080/apis/ccompat/v7`. User and password in it become basic authentication. */
  readonly url: string;
  /** How long one answer may take; default 10 s. */
  readonly timeoutMs?: number;
}

/** The registry refused, or did not answer; the message says which call, and what it said. */
export class RegistryError extends Error {
  /** HTTP status; undefined if there was no answer. */
  readonly status: number | undefined;
  constructor(message: string, status: number | undefined, cause?: unknown) {
    super(message, { cause });
    this.name = 'RegistryError';
    this.status = status;
  }
}

const answerWithId = z.object({ id: z.int() });
const answerWithSchema = z.object({ schema: z.string() });
const answerWithVersion = z.object({ id: z.int(), version: z.int(), schema: z.string() });
const answerWithVerdict = z.object({
  is_compatible: z.boolean(),
  messages: z.array(z.string()).optional(),
});

/** Client of a Confluent-compatible schema registry, for JSON Schemas. Source: Confluent Schema Registry's API, version 7; run against Apicurio Registry 3. */
export class SchemaRegistry {
  readonly #base: string;
  readonly #authorization: string | undefined;
  readonly #timeoutMs: number;

  /** @throws TypeError if the URL is none. */
  constructor({ url, timeoutMs = 10_000 }: RegistryOptions) {
    const { username, password, origin, pathname } = new URL(url);
    this.#base = `${origin}${pathname}`.replace(/\/$/, '');
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    this.#authorization =
      username === '' ? undefined : `Basic ${Buffer.from(credentials).toString('base64')}`;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Registers the schema as the newest version of the subject; one that is there already keeps its id.
   * @throws RegistryError with status 409 if it breaks the subject's compatibility.
   */
  async register(subject: string, schema: object): Promise<number> {
    const path = `/subjects/${encodeURIComponent(subject)}/versions`;
    return (await this.#call('POST', path, { body: bodyOf(schema), answer: answerWithId })).id;
  }

  /** Id of this very schema under the subject. @throws RegistryError with status 404 if it is not registered there. */
  async lookup(subject: string, schema: object): Promise<number> {
    const path = `/subjects/${encodeURIComponent(subject)}`;
    return (await this.#call('POST', path, { body: bodyOf(schema), answer: answerWithId })).id;
  }

  /** What the registry says of the schema as the subject's next version; a subject that is not there takes anything. */
  async check(
    subject: string,
    schema: object,
  ): Promise<{ readonly isCompatible: boolean; readonly messages: readonly string[] }> {
    const path = `/compatibility/subjects/${encodeURIComponent(subject)}/versions?verbose=true`;
    try {
      const verdict = await this.#call('POST', path, {
        body: bodyOf(schema),
        answer: answerWithVerdict,
      });
      return { isCompatible: verdict.is_compatible, messages: verdict.messages ?? [] };
    } catch (error) {
      if (error instanceof RegistryError && error.status === 404)
        return { isCompatible: true, messages: [] };
      throw error;
    }
  }

  /** The schema with this id. @throws RegistryError with status 404 if there is none. */
  async byId(id: number): Promise<unknown> {
    const { schema } = await this.#call('GET', `/schemas/ids/${id}`, { answer: answerWithSchema });
    return JSON.parse(schema);
  }

  /** The newest version of the subject. @throws RegistryError with status 404 if there is none. */
  async latest(
    subject: string,
  ): Promise<{ readonly id: number; readonly version: number; readonly schema: unknown }> {
    const path = `/subjects/${encodeURIComponent(subject)}/versions/latest`;
    const { id, version, schema } = await this.#call('GET', path, { answer: answerWithVersion });
    return { id, version, schema: JSON.parse(schema) };
  }

  /** Sets what the subject's next versions are checked against. */
  async setCompatibility(subject: string, compatibility: RegistryCompatibility): Promise<void> {
    const path = `/config/${encodeURIComponent(subject)}`;
    await this.#call('PUT', path, { body: { compatibility }, answer: z.unknown() });
  }

  async #call<Answer extends z.ZodType>(
    method: string,
    path: string,
    { body, answer }: { readonly body?: object; readonly answer: Answer },
  ): Promise<z.output<Answer>> {
    const what = `${method} ${this.#base}${path}`;
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${this.#base}${path}`, {
        method,
        headers: {
          accept: 'application/vnd.schemaregistry.v1+json',
          ...(body ? { 'content-type': 'application/vnd.schemaregistry.v1+json' } : {}),
          ...(this.#authorization === undefined ? {} : { authorization: this.#authorization }),
        },
        ...(body ? { body: JSON.stringify(body) } : {}),
        signal: AbortSignal.timeout(this.#timeoutMs),
      });
      text = await response.text();
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new RegistryError(
        `the schema registry does not answer to ${what} (${why}): check its URL and that it runs`,
        undefined,
        cause,
      );
    }
    if (!response.ok)
      throw new RegistryError(
        `the schema registry answered ${response.status} to ${what}: ${text.slice(0, 500)}`,
        response.status,
      );
    const parsed = answer.safeParse(parsedJson(text));
    if (parsed.success) return parsed.data;
    throw new RegistryError(
      `the schema registry's answer to ${what} is not as its API says: is this the Confluent-compatible address (Apicurio: …/apis/ccompat/v7)?`,
      response.status,
    );
  }
}

function bodyOf(schema: object): object {
  return { schemaType: 'JSON', schema: JSON.stringify(schema) };
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
