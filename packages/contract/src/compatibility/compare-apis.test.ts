import { describe, expect, it } from 'vitest';
import { compareApis } from './compare-apis.ts';

const text = { type: 'string' };
const closed = (properties: object, required: readonly string[] = []) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});
const open = (properties: object) => ({ type: 'object', properties });
const json = (schema: object) => ({ content: { 'application/json': { schema } } });

/** An API with one operation, of which a test changes parts. */
function api(changed: object = {}, path = '/things') {
  return {
    openapi: '3.1.1',
    info: { title: 'Things', version: '1.0.0' },
    paths: {
      [path]: {
        post: {
          parameters: [{ in: 'query', name: 'a', required: false, schema: text }],
          requestBody: json(closed({ a: text, b: text }, ['a'])),
          responses: {
            201: {
              description: 'd',
              headers: { ETag: { schema: text } },
              ...json(open({ a: text, b: { enum: ['X', 'Y'] } })),
            },
          },
          ...changed,
        },
      },
    },
  };
}
const answer = (schema: object, headers: object = { ETag: { schema: text } }) => ({
  responses: { 201: { description: 'd', headers, ...json(schema) } },
});
const parameters = (...more: object[]) => ({
  parameters: [{ in: 'query', name: 'a', required: false, schema: text }, ...more],
});

describe('callers of the released API', () => {
  it.each<[string, object, string]>([
    ['an operation under another path', api({}, '/stuff'), 'post /things: the operation is gone'],
    ['no parameter', api({ parameters: [] }), 'query parameter a is not taken any more'],
    [
      'a required header',
      api(parameters({ in: 'header', name: 'if-match', required: true, schema: text })),
      'header parameter if-match is new',
    ],
    [
      'several values of another kind',
      api({
        parameters: [
          {
            in: 'query',
            name: 'a',
            required: false,
            schema: { type: 'array', items: { type: 'integer' } },
          },
        ],
      }),
      'type changed',
    ],
    [
      'a parameter that is required now',
      api({ parameters: [{ in: 'query', name: 'a', required: true, schema: text }] }),
      'query parameter a is required',
    ],
    [
      'a field less in the body',
      api({ requestBody: json(closed({ a: text }, ['a'])) }),
      'the body: b: optional field removed',
    ],
    [
      'a field more that must be sent',
      api({ requestBody: json(closed({ a: text, b: text, c: text }, ['a', 'c'])) }),
      'the body: c: required field added',
    ],
    [
      'a field less in the answer',
      api(answer(open({ a: text }))),
      'the answer 201: b: optional field removed',
    ],
    [
      'a value more in the answer',
      api(answer(open({ a: text, b: { enum: ['X', 'Y', 'Z'] } }))),
      'the answer 201: b: enum value added',
    ],
    [
      'no ETag',
      api(answer(open({ a: text, b: { enum: ['X', 'Y'] } }), {})),
      '201 has no header ETag any more',
    ],
    [
      'another status',
      api({ responses: { 200: { description: 'd' } } }),
      'is not answered with 201 any more',
    ],
    [
      'another media type',
      api({ requestBody: { content: { 'text/plain': { schema: text } } } }),
      'bodies of application/json are not taken any more',
    ],
  ])('are broken by %s', (_name, declared, expected) => {
    const broken = compareApis(api(), declared as ReturnType<typeof api>).filter(
      ({ level }) => level === 'MAJOR',
    );
    expect(broken.map((change) => change.text).join('\n')).toContain(expected);
  });

  it.each<[string, object, 'MINOR' | 'PATCH']>([
    [
      'a parameter that may be left out',
      api(parameters({ in: 'query', name: 'b', schema: text })),
      'MINOR',
    ],
    [
      'a parameter of which there may be several now',
      api({
        parameters: [
          { in: 'query', name: 'a', required: false, schema: { type: 'array', items: text } },
        ],
      }),
      'MINOR',
    ],
    [
      'a field of the body that may be left out',
      api({ requestBody: json(closed({ a: text, b: text, c: text }, ['a'])) }),
      'MINOR',
    ],
    [
      'a field of the body that need not be sent any more',
      api({ requestBody: json(closed({ a: text, b: text })) }),
      'MINOR',
    ],
    [
      'a field more in the answer',
      api(answer(open({ a: text, b: { enum: ['X', 'Y'] }, c: text }))),
      'MINOR',
    ],
    ['a value less in the answer', api(answer(open({ a: text, b: { enum: ['X'] } }))), 'MINOR'],
    ['other words', { ...api(), info: { title: 'Stuff', version: '1.0.0' } }, 'PATCH'],
  ])('are not broken by %s', (_name, declared, level) => {
    const changes = compareApis(api(), declared as ReturnType<typeof api>);
    expect(changes.map((change) => change.level)).toEqual([level]);
  });

  it('see no change in another version alone', () => {
    expect(compareApis(api(), { ...api(), info: { title: 'Things', version: '2.0.0' } })).toEqual(
      [],
    );
  });
});
