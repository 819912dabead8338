import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeTopic } from '../support/make-topic.ts';
import { TestPipeline } from '../support/test-pipeline.ts';
import { startTestStack, type TestStack } from '../support/test-stack.ts';
import { CatalogClient } from './catalog-client.ts';
import { byKey, committedEvents, type CommittedEvent } from './committed-events.ts';
import { documentedCommand, type Here } from './documented.ts';
import { kcatRead } from './kcat-read.ts';
import { oddKeys, writeOddKeys } from './odd-keys.ts';
import { consoleRecords, kcatRecords, type SeenRecord } from './seen-record.ts';
import { shell } from './shell.ts';

/** The contract of §6 of the wire, read by those who do not share a line of code with us. */
describe('a client of other makers', () => {
  let stack: TestStack;
  let pipeline: TestPipeline;
  let catalog: CatalogClient;
  let here: Here;
  let committed: CommittedEvent[];
  beforeAll(async () => {
    stack = await startTestStack();
    pipeline = await TestPipeline.create(stack);
    here = { bootstrap: stack.kafka.bootstrap.join(','), topicPrefix: pipeline.topicPrefix };
    const [{ url }] = await Promise.all([pipeline.startApi(), pipeline.startRelay()]);
    catalog = new CatalogClient(url);
    await catalog.create(150);
    await catalog.change(catalog.live.slice(0, 120), 'Changed — 変更');
    await catalog.change(catalog.live.slice(60, 120), 'Changed "twice"');
    await catalog.delete(catalog.live.slice(100, 130));
    await writeOddKeys(pipeline);
    await pipeline.caughtUp();
    committed = await committedEvents(pipeline, 'catalog.product-change');
    expect(committed).toHaveLength(360);
  });
  afterAll(async () => {
    await pipeline[Symbol.asyncDispose]();
    await stack[Symbol.asyncDispose]();
  });

  /** Every event once, each key in order, and the headers that consumers are promised. */
  const expectEveryChange = (seen: readonly SeenRecord[]): void => {
    const wanted = byKey(committed);
    const found = byKey([...seen].sort((a, b) => a.offset - b.offset));
    expect(found.size).toBe(wanted.size);
    for (const [key, events] of wanted)
      expect(found.get(key)).toMatchObject(
        events.map(({ eid, payload, dataOp }) => ({
          value: payload,
          headers: {
            ce_id: eid,
            ce_type: 'catalog.product-change',
            ce_subject: key,
            ce_specversion: '1.0',
            'content-type': 'application/json',
            data_op: dataOp,
          },
        })),
      );
  };

  /** The last record of each key is its last event, and a tombstone where that was a deletion. */
  const expectState = (seen: readonly SeenRecord[]): void => {
    const found = byKey([...seen].sort((a, b) => a.offset - b.offset));
    for (const [key, events] of byKey(committed)) {
      const last = events.at(-1);
      expect(found.get(key)?.at(-1)).toMatchObject({
        value: last?.dataOp === 'D' ? null : last?.payload,
        headers: { ce_id: last?.eid, data_op: last?.dataOp, ce_subject: key },
      });
    }
    expect(seen.filter(({ value }) => value === null)).toHaveLength(30);
  };

  describe('kcat', () => {
    const kcat = async (title: string, input = ''): Promise<string> =>
      shell(documentedCommand(`kcat: ${title}`, here), input);
    const json = 'the compacted topic as JSON, for a program';

    it('reads every change with its headers, and the state with its tombstones', async () => {
      const state = documentedCommand(`kcat: ${json}`, here);
      expectState(kcatRecords(await shell(state)));
      const changes = state.replace('catalog.product ', 'catalog.product-change ');
      expectEveryChange(kcatRecords(await shell(changes)));
    });

    it('prints what the page says', async () => {
      const text = await kcat('every change with partition, offset, key and headers, to the end');
      const first = committed[0];
      expect(text.split('\n')).toHaveLength(2 * committed.length + 1);
      expect(text).toMatch(new RegExp(`^\\d \\d+ ${first?.key} .*ce_id=${first?.eid},`, 'm'));
      const deleted = committed.filter(({ dataOp }) => dataOp === 'D').map(({ key }) => key);
      const printed = (
        await kcat('the key of every deletion (the length of a tombstone is -1)')
      ).split('\n');
      expect(printed.filter(Boolean).sort()).toEqual(deleted.sort());
      const last = (await kcat('the last two records of each partition')).trim().split('\n');
      expect(last).toHaveLength(12);
    });
  });

  it("Kafka's console consumer reads every change with its headers, and the state with its tombstones", async () => {
    const [, ...args] = documentedCommand(
      'console consumer: partition, offset, headers, key and value',
      here,
    ).split(/\s+/);
    const read = async (topic: string, count: number): Promise<SeenRecord[]> => {
      const all = args.map((word) => (word.endsWith('catalog.product') ? topic : word));
      // It would follow for ever: it is told how many there are.
      const { stdout, stderr, code } = await stack.kafka.tool('console-consumer', [
        ...all,
        '--max-messages',
        String(count),
      ]);
      expect(code, stderr).toBe(0);
      return consoleRecords(stdout);
    };
    expectState(await read(pipeline.topic('catalog.product'), committed.length));
    expectEveryChange(await read(pipeline.topic('catalog.product-change'), committed.length));
  });

  describe('the partition of a key', () => {
    const partitions = 6;
    /** What other producers choose for all the keys, on a topic of their own. */
    const chosen = async (
      topic: string,
      produce: (topic: string, input: string) => Promise<void>,
      keys: readonly string[],
    ): Promise<Map<string, number>> => {
      const admin = new Kafka({
        brokers: stack.kafka.bootstrap,
        logLevel: logLevel.NOTHING,
      }).admin();
      await admin.connect();
      try {
        await makeTopic(admin, { topic, numPartitions: partitions });
      } finally {
        await admin.disconnect();
      }
      await produce(topic, keys.map((key) => `${key}\tx\n`).join(''));
      return partitionsOf(topic);
    };
    const partitionsOf = async (topic: string): Promise<Map<string, number>> =>
      new Map(
        (await kcatRead(here.bootstrap, topic)).map(({ key, partition }) => [key, partition]),
      );

    it("is the Java client's and librdkafka's murmur2_random's, and not librdkafka's default", async () => {
      const ours = new Map([
        ...(await partitionsOf(pipeline.topic('catalog.product'))),
        ...(await partitionsOf(pipeline.topic('catalog.category-change'))),
      ]);
      const keys = [...ours.keys()];
      expect(keys).toEqual(expect.arrayContaining([...oddKeys]));
      expect(keys).toHaveLength(150 + oddKeys.length);
      expect(new Set(ours.values()).size).toBe(partitions);

      const kcat = documentedCommand(
        'kcat: write keys and values with a tab between them to a topic of your own, partitioned as ours are',
        here,
      );
      const viaKcat = await chosen(
        'by-kcat',
        async (topic, input) => {
          await shell(kcat.replace('my-topic', topic), input);
        },
        keys,
      );
      expect(viaKcat).toEqual(ours);

      const viaJava = await chosen(
        'by-java',
        async (topic, input) => {
          const parse = ['--reader-property', 'parse.key=true'];
          const { code, stderr } = await stack.kafka.tool(
            'console-producer',
            ['--topic', topic, ...parse],
            { input },
          );
          expect(code, stderr).toBe(0);
        },
        keys,
      );
      expect(viaJava).toEqual(ours);

      const viaDefault = await chosen(
        'by-kcat-default',
        async (topic, input) => {
          await shell(
            kcat.replace('my-topic', topic).replace('-X partitioner=murmur2_random', ''),
            input,
          );
        },
        keys,
      );
      expect(keys.filter((key) => viaDefault.get(key) !== ours.get(key)).length).toBeGreaterThan(
        50,
      );
    });
  });
});
