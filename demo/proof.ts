import { readTopics, type KafkaRecord } from '@outbound/consumer';
import { recordHeader } from '@outbound/contract';
import type pg from 'pg';
import { demoConnection } from './demo-connection.ts';
import { Judgement, type ReadRecord, type Verdict } from './judgement.ts';
import { contentOfValue, hashOfRow, productRows, type ProductRow } from './product-content.ts';

const firstId = '00000000-0000-0000-0000-000000000000';
const rowsPerPage = 2000;

/**
 * Compares the product table with what a consumer of its own reads from both topics, from their first record to their end. Call it when
 * nothing is written and the relay has caught up. Rows and records are streamed; what is kept is a few numbers per key.
 */
export async function prove({
  sql,
  brokers,
  changeTopic,
  stateTopic,
}: {
  readonly sql: pg.Client;
  readonly brokers: readonly string[];
  readonly changeTopic: string;
  readonly stateTopic: string;
}): Promise<Verdict> {
  const judgement = new Judgement();
  const connection = demoConnection(brokers, 'outbound-demo-proof');
  const readToEnd = (topic: string, take: (record: KafkaRecord) => void) =>
    readTopics({
      connection,
      topics: [topic],
      until: 'end',
      onBatch: (records) => {
        for (const record of records) take(record);
      },
    });
  const [changes] = await Promise.all([
    readToEnd(changeTopic, (record) => judgement.addChange(toReadRecord(record))),
    readToEnd(stateTopic, (record) => judgement.addState(toReadRecord(record))),
  ]);
  judgement.endOfTopics({ isWhole: changes.isWhole });
  for (let after = firstId; ;) {
    const { rows } = await sql.query<ProductRow>(productRows, [after, rowsPerPage]);
    for (const row of rows)
      judgement.addRow({
        key: row.id,
        version: Number(row.version),
        isDeleted: row.is_deleted,
        dataHash: hashOfRow(row),
      });
    const last = rows.at(-1);
    if (!last) break;
    after = last.id;
  }
  return judgement.verdict();
}

function toReadRecord({ key, value, headers }: KafkaRecord): ReadRecord {
  const content = value === null ? undefined : contentOfValue(value);
  return {
    key: key?.toString() ?? '(no key)',
    version: content?.version,
    dataHash: content?.dataHash,
    isSnapshot: headers[recordHeader.dataOp] === 'S',
  };
}
