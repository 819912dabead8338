import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { deadLetterTopics } from '@outbound/contract';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { toRelayError } from '../errors.ts';
import type { PublisherSession } from './publisher.ts';
import {
  anyEventType,
  anySource,
  batchOf,
  connectionTo,
  LogLines,
  provisioned,
  recordAt,
  sendUntilStored,
} from './test-support/kafka-rig.ts';
import { provisionTopics } from './topic-provision.ts';

let kafka: KafkaCluster;
beforeAll(async () => {
  kafka = await startKafka({ brokers: 1 });
});
afterAll(async () => kafka.close());

describe('the topic of parked keys', () => {
  // What was written in transactions counts for whoever opens without them.
  it.each(['at-least-once', 'exactly-once'] as const)(
    'deleted and made again while letters wait (%s) is known by the mark that it has not, and nothing is opened',
    async (delivery) => {
      const eventType = anyEventType();
      const deadLetters = deadLetterTopics(`${eventType.name}.`);
      const names = [deadLetters.deadLetters, deadLetters.parkedKeys].map(({ topic }) => topic);
      const patiently = { timeoutMs: 60_000, intervalMs: 200 };
      const make = () =>
        eventually(async () => {
          const declared = [deadLetters.deadLetters, deadLetters.parkedKeys];
          await provisionTopics(connectionTo(kafka.bootstrap), declared, new LogLines());
          return true;
        }, patiently);
      await make();
      const publisher = await provisioned(kafka, [eventType], { deadLetters });
      const writer = await provisioned(kafka, [eventType], { deadLetters, delivery });
      const source = anySource();
      /** Opens a session, once the brokers know their topics; gives what it ends with. */
      const open = async (act?: (one: PublisherSession) => Promise<unknown>, from = source) => {
        let outcome = '';
        await eventually(async () => {
          try {
            const session = await (act ? writer : publisher).open(from);
            await act?.(session);
            await session.close();
            outcome = 'open';
          } catch (thrown) {
            outcome = toRelayError(thrown).code;
          }
          return outcome === 'open' || outcome === 'SINK_JOURNAL_LOST';
        }, patiently);
        return outcome;
      };
      expect(await open()).toBe('open');
      const letter = batchOf([recordAt(source, deadLetters.deadLetters.topic, 0, 5)]);
      expect(await open((one) => sendUntilStored(one, [letter]))).toBe('open');
      expect(await open()).toBe('open');
      await kafka.tool('topics', ['--delete', '--topic', deadLetters.parkedKeys.topic]);
      await make();
      expect(await open(undefined, anySource())).toBe('open'); // Another database's relay may be the first.
      expect(await open()).toBe('SINK_JOURNAL_LOST');
      // The way on: both are new.
      for (const topic of names) await kafka.tool('topics', ['--delete', '--topic', topic]);
      await make();
      expect(await open()).toBe('open');
      expect(await open()).toBe('open');
    },
  );
});
