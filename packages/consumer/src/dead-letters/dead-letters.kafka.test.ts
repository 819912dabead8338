import { randomUUID } from 'node:crypto';
import {
  decodeRecords,
  keyText,
  openKafkaReads,
  openRecordSender,
  type KafkaRecord,
} from '@outbound/kafka';
import { partitionOf, recordHeader, deadLetterHeader } from '@outbound/contract';
import type { KafkaConnection } from '@outbound/service-kit';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { note, noteValue } from '../../test-support/notes.ts';
import {
  startTestGroups,
  type NoteEvent,
  type TestGroups,
} from '../../test-support/test-groups.ts';
import { createMemoryParkedKeys } from './parked-keys.ts';

let groups: TestGroups;
let connection: KafkaConnection;
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
beforeAll(async () => {
  groups = await startTestGroups();
  connection = {
    brokers: groups.cluster.directBootstrap,
    clientId: 'dead-letters-test',
    tls: undefined,
    sasl: undefined,
    connectTimeoutMs: 10_000,
    silenceLimitMs: 5_000,
  };
});
afterAll(async () => groups?.[Symbol.asyncDispose]());
afterEach(async () => groups.stopMembers());

/** What is in the only partition of a topic, byte for byte. */
async function readAll(topic: string): Promise<readonly KafkaRecord[]> {
  const reads = await openKafkaReads(connection, log);
  try {
    const [facts] = await reads.log.topics([topic]);
    const [fetched] = await reads.log.fetch(facts?.partitions[0]?.leader ?? -1, {
      positions: [{ topic, partition: 0, offset: 0n, leaderEpoch: -1 }],
      minBytes: 1,
      maxBytes: 1 << 20,
      maxBytesPerPartition: 1 << 20,
      maxWaitMs: 500,
    });
    return fetched ? decodeRecords(fetched, 0n).records : [];
  } finally {
    await reads.close();
  }
}

it('carry key, value and every header byte for byte, and keys that only look alike as text are parked apart', async () => {
  const topic = await groups.newTopic();
  const dead = await groups.newTopic();
  const groupId = randomUUID();
  const [bad, alike] = ['fffe0001', 'ffff0001'].map((hex) => Buffer.from(hex, 'hex'));
  if (!bad || !alike) throw new Error('there are two keys');
  expect(bad.toString()).toBe(alike.toString());
  const headers = [
    { name: 'b', value: Buffer.from('1') },
    { name: 'b', value: null },
    { name: recordHeader.type, value: Buffer.from(note.name) },
    { name: 'a', value: Buffer.from('ff00', 'hex') },
    { name: 'a', value: Buffer.alloc(0) },
  ];
  const write = await openRecordSender({ connection, topic, partitionOf, log });
  await write.send(
    [bad, bad, alike].map((key, version) => ({
      key,
      value: Buffer.from(noteValue('n', version)),
      headers,
      timestampMs: Date.now(),
    })),
  );
  await write.close();
  const seen: NoteEvent[] = [];
  const keys = createMemoryParkedKeys();
  await groups.join({
    topic,
    groupId,
    onPoison: { then: 'dead-letter', topic: dead, laterEvents: { policy: 'park', keys } },
    handle: (event) => {
      if (event.version === 0) throw new Error('cannot');
      seen.push(event);
    },
  });
  await eventually(async () => (await groups.committed(groupId, topic))[0] === 3, {
    timeoutMs: 30_000,
  });
  expect(seen.map(({ key }) => key)).toEqual([keyText(alike)]);
  expect(await keys.list({ group: groupId, topic })).toEqual(new Set([keyText(bad)]));
  const [records, letters] = [await readAll(topic), await readAll(dead)];
  expect(letters).toHaveLength(2);
  for (const [index, letter] of letters.entries()) {
    const record = records[index];
    expect(letter.key).toEqual(bad);
    expect(letter.value).toEqual(record?.value);
    expect(letter.headerList().slice(0, headers.length)).toEqual(headers);
    expect(letter.headers).toMatchObject({
      [deadLetterHeader.topic]: topic,
      [deadLetterHeader.offset]: String(index),
      [deadLetterHeader.timestamp]: String(record?.timestampMs),
      [deadLetterHeader.reason]: index === 0 ? 'failed' : 'parked',
    });
  }
});
