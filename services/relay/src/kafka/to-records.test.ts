import {
  maxMessageBytes,
  changeRoute,
  defineEventType,
  partitionOf,
  recordHeader,
  schemaIdPrefix,
  stateRoute,
  withoutSchemaId,
} from '@outbound/contract';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { OutboxEvent } from '../outbox/outbox-event.ts';
import { lsnFromText } from '../wal/lsn.ts';
import { toRecords } from './to-records.ts';

const eventType = defineEventType({
  name: 'catalog.product-change',
  category: 'data',
  owner: 'catalog-api',
  audience: 'company-internal',
  version: '1.0.0',
  dataType: 'catalog.product',
  value: z.unknown(),
  orderingKeyFields: ['data.version'],
  orderingInstanceIds: ['data.id'],
  compatibilityMode: 'compatible',
  routes: [
    changeRoute('catalog.product-change', { partitions: 6, retentionMs: 1 }),
    stateRoute('catalog.product', { partitions: 12, retentionMs: 1 }),
  ],
});

function event(over: Partial<OutboxEvent> = {}): OutboxEvent {
  return {
    eid: '0190a3c0-0000-7000-8000-000000000001',
    aggregateType: 'catalog.product',
    aggregateId: '0190a3c0-0000-7000-8000-0000000000aa',
    type: 'catalog.product-change',
    version: '3',
    dataOp: 'U',
    payload: Buffer.from('{ "n": 12345678901234567890 }'),
    headers: {},
    createdAt: '2026-11-24T08:00:00.000Z',
    position: { commitLsn: lsnFromText('16/B374D848'), index: 3 },
    commitTimeMs: 1_700_000_000_000,
    ...over,
  };
}

describe('toRecords', () => {
  it('makes one record per route, in the order of the routes, with the payload object itself as value (I5)', () => {
    const one = event();
    const records = toRecords(one, eventType, '9f86d081');
    expect(records.map(({ topic }) => topic)).toEqual([
      'catalog.product-change',
      'catalog.product',
    ]);
    for (const { value } of records) expect(value).toBe(one.payload);
    expect(records.map(({ partition }) => partition)).toEqual([
      partitionOf(one.aggregateId, 6),
      partitionOf(one.aggregateId, 12),
    ]);
    expect(records[0]).toMatchObject({ key: one.aggregateId, timestampMs: 1_700_000_000_000 });
  });

  it('puts the id of the schema before the unchanged payload where values name it, and leaves tombstones alone', () => {
    const one = event({ dataOp: 'D' });
    const prefixes = new Map([
      [
        eventType,
        new Map(['catalog.product-change', 'catalog.product'].map((t) => [t, schemaIdPrefix(7)])),
      ],
    ]);
    const [change, state] = toRecords(one, eventType, '9f86d081', prefixes);
    expect(withoutSchemaId(change?.value ?? Buffer.alloc(0))).toEqual({
      json: one.payload,
      schemaId: 7,
    });
    expect(state?.value).toBeNull();
  });

  it('turns a deletion into its event on the change topic and a tombstone on the compacted one', () => {
    const one = event({ dataOp: 'D' });
    expect(toRecords(one, eventType, '9f86d081').map(({ value }) => value)).toEqual([
      one.payload,
      null,
    ]);
  });

  it('leaves out a route that skips the data_op', () => {
    const [change, state] = eventType.routes;
    if (!change || !state) throw new Error('two routes');
    const skipping = {
      ...eventType,
      routes: [{ ...change, forms: { ...change.forms, S: 'skip' as const } }, state],
    };
    expect(
      toRecords(event({ dataOp: 'S' }), skipping, '9f86d081').map(({ topic }) => topic),
    ).toEqual(['catalog.product']);
  });

  it('writes CloudEvents headers and our own, and only the optional ones that the event carries', () => {
    const required = {
      ce_specversion: '1.0',
      ce_id: '0190a3c0-0000-7000-8000-000000000001',
      ce_type: 'catalog.product-change',
      ce_source: '/catalog-api/catalog.product',
      ce_time: '2026-11-24T08:00:00.000Z',
      ce_subject: '0190a3c0-0000-7000-8000-0000000000aa',
      'content-type': 'application/json',
      data_op: 'U',
      data_version: '3',
      source_lsn: '16/B374D848:3@9f86d081',
    };
    expect(toRecords(event(), eventType, '9f86d081')[0]?.headers).toEqual(required);
    const traced = event({ headers: { traceparent: '00-a-b-01', flow_id: 'f', other: 'no' } });
    expect(toRecords(traced, eventType, '9f86d081')[0]?.headers).toEqual({
      ...required,
      [recordHeader.traceparent]: '00-a-b-01',
      [recordHeader.flowId]: 'f',
    });
  });

  it('refuses an event that a topic would refuse, with its id, and takes one that just fits', () => {
    const headersAndKey = 700;
    expect(() =>
      toRecords(event({ payload: Buffer.alloc(maxMessageBytes - 200) }), eventType, '9f86d081'),
    ).toThrow(
      expect.objectContaining({
        code: 'EVENT_TOO_LARGE',
        eid: '0190a3c0-0000-7000-8000-000000000001',
      }),
    );
    expect(
      toRecords(
        event({ payload: Buffer.alloc(maxMessageBytes - headersAndKey) }),
        eventType,
        '9f86d081',
      ),
    ).toHaveLength(2);
  });
});
