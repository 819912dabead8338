import { readTopics } from '@outbound/consumer';
import {
  brokenBy,
  compareSchemas,
  opened,
  RegistryError,
  registrySubjects,
  SchemaRegistry,
  withoutSchemaId,
  withTopicPrefix,
} from '@outbound/contract';
import { eventTypes } from '@outbound/schemas';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../packages/cli/src/run-cli.ts';
import { verbs } from '../packages/cli/src/verbs.ts';
import { schemaChangeCases } from '../packages/contract/src/compatibility/test-support/schema-change-cases.ts';
import { startSchemaRegistry, type RegistryProcess } from './support/schema-registry.ts';
import { EntityWriter } from './support/entity-writer.ts';
import { connectionTo } from './support/read-topics.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack } from './support/test-stack.ts';

/** Where the registry judges otherwise, and why. Everywhere else its verdict is ours. */
const otherwise: Readonly<Record<string, string>> = {
  'an optional field removed':
    'FORWARD: it breaks nobody who ignores unknown fields; ours is MAJOR all the same, by name (rule 209)',
  'steps that binary floats cannot decide, dropped':
    'FORWARD: it believes that old readers could divide by them; those that do refuse good values already',
  'a format that was not there': 'the registry does not look at formats',
  'another default': 'the registry does not look at defaults',
  'places of a tuple': 'the registry reads draft 7, which has no prefixItems',
  'a condition between fields (co-occurrence)':
    'the registry reads draft 7, which has no dependentRequired',
};

/** The real Apicurio Registry over its Confluent-compatible API. */
describe('a schema registry', () => {
  let process: RegistryProcess;
  let registry: SchemaRegistry;
  beforeAll(async () => {
    process = await startSchemaRegistry();
    registry = new SchemaRegistry({ url: process.url });
  });
  afterAll(() => process[Symbol.asyncDispose]());

  it('judges every case of our table as we do, but for those it cannot see', async () => {
    const different: string[] = [];
    for (const [index, { name, released, declared }] of schemaChangeCases.entries()) {
      const broken = compareSchemas(released, declared).flatMap(({ kind }) => [...brokenBy(kind)]);
      // New readers have the closed schema, old readers ignore what they do not know: the two forms in which its rules are of use.
      const verdict = async (mode: 'BACKWARD' | 'FORWARD', form: (schema: object) => unknown) => {
        const subject = `case-${index}-${mode}`;
        await registry.setCompatibility(subject, mode);
        await registry.register(subject, form(released) as object);
        return (await registry.check(subject, form(declared) as object)).isCompatible;
      };
      const isAlike = await (async () => {
        const backward = await verdict('BACKWARD', (schema) => schema);
        const forward = await verdict('FORWARD', opened);
        return (
          backward === !broken.includes('new readers') &&
          forward === !broken.includes('old readers')
        );
      })().catch(() => false);
      if (!isAlike) different.push(name);
    }
    expect(different).toEqual(Object.keys(otherwise));
  });

  it('calls an added optional field incompatible in both ways under FULL, closed or open', async () => {
    const closed = (fields: object) => ({
      type: 'object',
      properties: fields,
      additionalProperties: false,
    });
    for (const form of [(schema: object) => schema, opened]) {
      const subject = `full-${form === opened ? 'open' : 'closed'}`;
      await registry.setCompatibility(subject, 'FULL');
      await registry.register(subject, form(closed({ a: { type: 'string' } })) as object);
      const next = form(closed({ a: { type: 'string' }, b: { type: 'string' } })) as object;
      expect((await registry.check(subject, next)).isCompatible).toBe(false);
    }
  });

  it('takes what `outbound schemas publish` gives it, twice, and then refuses a break', async () => {
    const outputs: string[] = [];
    const publish = async (...more: string[]) =>
      runCli(
        {
          argv: ['--json', 'schemas', 'publish', '--registry', process.url, ...more],
          env: {},
          out: { write: (text: string) => outputs.push(text) > 0 },
          err: { write: () => true },
          signal: new AbortController().signal,
          version: '0',
        },
        verbs,
      );
    expect(await publish('--dry-run')).toBe(0);
    expect(outputs.pop()).toContain('"id":null');
    const productValue = [...eventTypes.values()].flatMap(registrySubjects)[0];
    if (productValue === undefined) throw new Error('there is an event type');
    await expect(registry.latest(productValue.subject)).rejects.toMatchObject({ status: 404 });
    expect(await publish()).toBe(0);
    expect(await publish()).toBe(0);
    expect(outputs.pop()).toBe(outputs.pop());
    const { id, version, schema } = await registry.latest(productValue.subject);
    expect([version, schema]).toEqual([1, productValue.schema]);
    expect(await registry.byId(id)).toEqual(schema);
    expect(await registry.lookup(productValue.subject, productValue.schema)).toBe(id);

    const { required: _, ...loose } = productValue.schema;
    expect((await registry.check(productValue.subject, loose)).isCompatible).toBe(true);
    const strict = { ...loose, required: ['metadata', 'data_op', 'data_type', 'data', 'more'] };
    await expect(registry.register(productValue.subject, strict)).rejects.toThrow(RegistryError);
    await expect(registry.register(productValue.subject, strict)).rejects.toMatchObject({
      status: 409,
    });
  });

  it('is named by the values of a relay that is told of it, whose JSON stays what was committed', async () => {
    await using stack = await startTestStack();
    await using pipeline = await TestPipeline.create(stack, {
      RELAY_SCHEMA_REGISTRY_URL: process.url,
    });
    const unregistered = pipeline.launchRelay();
    expect((await unregistered.ended()).code).toBe(2);
    expect(unregistered.tail()).toContain('outbound schemas publish');
    const declared = withTopicPrefix(eventTypes, pipeline.topicPrefix);
    for (const { subject, schema } of [...declared.values()].flatMap(registrySubjects))
      await registry.register(subject, schema);

    await EntityWriter.prepare(pipeline.sql);
    const writer = new EntityWriter(pipeline.sql);
    await pipeline.startRelay();
    await writer.write('a', 'C');
    await writer.write('a', 'D');
    await pipeline.caughtUp();
    const values: ReturnType<typeof withoutSchemaId>[] = [];
    let tombstones = 0;
    await readTopics({
      connection: connectionTo(stack.kafka.directBootstrap),
      topics: [pipeline.topic('catalog.product-change'), pipeline.topic('catalog.product')],
      until: 'end',
      onBatch: (records) => {
        for (const { value } of records)
          if (value === null) tombstones += 1;
          else values.push(withoutSchemaId(Buffer.from(value)));
      },
    });
    expect([values.length, tombstones]).toEqual([3, 1]);
    const { rows } = await pipeline.sql.query<{ payload: string }>(
      'select payload::text from outbox order by version',
    );
    for (const { json, schemaId } of values) {
      expect(rows.map(({ payload }) => payload)).toContain(json.toString());
      expect(await registry.byId(schemaId ?? NaN)).toMatchObject({
        title: 'catalog.product-change',
      });
    }
  });
});
