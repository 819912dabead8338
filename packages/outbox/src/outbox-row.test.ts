import { JsonNumber } from '@outbound/contract';
import { categoryChange, productChange } from '@outbound/schemas';
import { uuidv7 } from 'uuidv7';
import { expect, test } from 'vitest';
import { outboxRow, type EventToEmit } from './outbox-row.ts';

const now = '2026-03-01T12:00:00.000Z';
const id = uuidv7();

function categoryEvent(
  data: Record<string, unknown> = {},
  rest: Partial<EventToEmit> = {},
): EventToEmit {
  const category = { id, code: 'shoes', name: 'Shoes', version: 1, created_at: now, ...data };
  return {
    aggregateId: id,
    version: 1,
    dataOp: 'C',
    data: { ...category, updated_at: now },
    ...rest,
  };
}

/** What a refused event says. */
function refusal(event: EventToEmit): string {
  try {
    outboxRow(categoryChange, event);
  } catch (error) {
    expect(error).toMatchObject({ code: 'EVENT_INVALID' });
    return String(error);
  }
  throw new Error('the event was taken');
}

test('an event id is a UUIDv7, new for every event, and the same in the row and in the value', () => {
  const rows = [1, 2, 3].map(() => outboxRow(categoryChange, categoryEvent()));
  for (const row of rows) {
    expect(row.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(JSON.parse(row.payload)).toMatchObject({ metadata: { eid: row.id } });
  }
  expect(rows.map((row) => row.id)).toEqual([...new Set(rows.map((row) => row.id))].sort());
});

test('type, entity and operation come from the declaration and the event', () => {
  expect(outboxRow(categoryChange, categoryEvent())).toMatchObject({
    aggregateType: 'catalog.category',
    aggregateId: id,
    type: 'catalog.category-change',
    version: 1,
    dataOp: 'C',
    headers: '{}',
  });
});

test('a value that breaks its declaration is refused with the place and the rule, never with the value', () => {
  const message = refusal(categoryEvent({ code: 'Secret Code', name: 'S3CRET'.repeat(100) }));
  expect(message).toContain(`event type catalog.category-change: the value of ${id}`);
  expect(message).toContain('data.code (invalid_format)');
  expect(message).toContain('data.name (custom)');
  expect(message).not.toMatch(/secret/i);
});

test('a field that nobody declared is refused, and so is one that is missing', () => {
  const message = refusal(categoryEvent({ secret_note: 'S3CRET', name: undefined }));
  expect(message).toContain('data (unrecognized_keys)');
  expect(message).toContain('data.name (');
  expect(message).not.toContain('S3CRET');
});

test('every digit of a number is in the payload, and the payload is what was built, byte for byte', () => {
  const attributes = {
    big: new JsonNumber('12345678901234567890'),
    exact: new JsonNumber('1.50'),
    small: new JsonNumber('1e-400'),
  };
  const row = outboxRow(productChange, {
    aggregateId: id,
    version: 7,
    dataOp: 'U',
    occurredAt: new Date(now),
    data: {
      id,
      sku: 'SHOE-42',
      name: 'Größe 42 \u{1f45f}',
      attributes,
      status: 'ACTIVE',
      version: 7,
      created_at: now,
      updated_at: now,
    },
  });
  expect(row.payload).toBe(
    `{"metadata":{"eid":"${row.id}","event_type":"catalog.product-change","occurred_at":"${now}","version":"${productChange.version}"},` +
      `"data_op":"U","data_type":"catalog.product","data":{"id":"${id}","sku":"SHOE-42","name":"Größe 42 \u{1f45f}",` +
      `"attributes":{"big":12345678901234567890,"exact":1.50,"small":1e-400},"status":"ACTIVE","version":7,"created_at":"${now}","updated_at":"${now}"}}`,
  );
});

test('an event whose value says another version or entity than its row is refused', () => {
  expect(refusal(categoryEvent({ version: 2 }))).toContain(
    `data.version in the value of ${id} is not the 1 that it is emitted with`,
  );
  const other = uuidv7();
  expect(refusal(categoryEvent({ id: other }))).toContain(
    `data.id in the value of ${id} is not the ${id} that it is emitted with`,
  );
});

test.each([
  ['C', undefined, false],
  ['U', undefined, false],
  ['U', 'stored', true],
  ['S', undefined, true],
  ['D', undefined, true],
  ['D', 'input', false],
] as const)(
  'a %s of origin %s that breaks a limit: taken is %s; one of another shape never is',
  (dataOp, origin, isTaken) => {
    const rest = { dataOp, ...(origin ? { origin } : {}) };
    const old = categoryEvent({ code: 'Old Code' }, rest);
    if (isTaken) expect(outboxRow(categoryChange, old)).toMatchObject({ dataOp });
    else expect(refusal(old)).toContain('data.code (invalid_format)');
    expect(refusal(categoryEvent({ code: 1 }, rest))).toContain('data.code (invalid_type)');
  },
);

test.each<[string, object, string]>([
  ['a key that is no text', { aggregateId: 7 }, 'aggregateId must be text'],
  ['a key of 256 bytes', { aggregateId: 'ä'.repeat(128) }, 'has 256 bytes, and 255 is the most'],
  ['a key with a zero byte', { aggregateId: 'a\0' }, 'zero byte'],
  ['a version of 0', { version: 0 }, 'version 0'],
  ['a version that is no number', { version: '1' }, 'version 1'],
  ['a traceparent of null', { traceparent: null }, 'traceparent of'],
  ['a flow id that is a number', { flowId: 7 }, 'flowId of'],
  ['a flow id of 8 KiB', { flowId: 'x'.repeat(8192) }, '8194 bytes as JSON'],
])('%s is refused before anything is written, in words', (_, wrong, words) => {
  expect(refusal(categoryEvent({}, wrong as Partial<EventToEmit>))).toContain(words);
});
