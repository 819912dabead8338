import type { EventType } from '@outbound/contract';
import { describe, expect, it } from 'vitest';
import type { OutboundRecord } from '../../services/relay/src/kafka/outbound-record.ts';
import {
  laneKey,
  type LaneBatch,
  type Publisher,
  type PublisherSession,
} from '../../services/relay/src/kafka/publisher.ts';
import type { Lsn } from '../../services/relay/src/wal/lsn.ts';
import {
  sourceFingerprint,
  sourcePositionToText,
  type SourceIdentity,
} from '../../services/relay/src/wal/source-position.ts';

/** A real broker removes what is older than the topic's retention: a date that is written down has its day. */
const beganMs = Date.now();

/** Topics of their own, real or simulated, and a way to look into them. */
export interface PublisherRig extends AsyncDisposable {
  /** Its first route has two partitions at least. */
  readonly eventType: EventType;
  readonly identity: SourceIdentity;
  /** A publisher to the topics, as another process would make it. */
  publisher(): Promise<Publisher>;
  /** The keys in a partition, in order. */
  keys(topic: string, partition: number): Promise<readonly (string | null)[]>;
  /** Lets time pass until the promise is settled. */
  settle<T>(promise: Promise<T>): Promise<T>;
}

/** What every `Publisher` promises: called by the tests of the real form and of the simulated one. */
export function publisherConformance(name: string, openRig: () => Promise<PublisherRig>): void {
  const topicOf = (rig: PublisherRig): string => rig.eventType.routes[0]?.topic ?? '';
  const session = async (rig: PublisherRig, identity = rig.identity): Promise<PublisherSession> =>
    rig.settle((await rig.publisher()).open(identity));

  const batch = (
    rig: PublisherRig,
    partition: number,
    lsns: readonly number[],
    identity = rig.identity,
  ): LaneBatch => {
    const topic = topicOf(rig);
    const records = lsns.map((lsn): OutboundRecord => {
      const position = { commitLsn: BigInt(lsn) as Lsn, index: 2 };
      const source_lsn = sourcePositionToText(position, sourceFingerprint(identity));
      return {
        topic,
        partition,
        key: String(lsn),
        value: Buffer.from('{}'),
        headers: { ce_id: `event-${lsn}`, source_lsn },
        position,
        timestampMs: beganMs,
      };
    });
    return { topic, partition, records };
  };

  describe(`Publisher: ${name}`, () => {
    it('stores each lane’s batches in order and says which it has stored', async () => {
      await using rig = await openRig();
      const one = await session(rig);
      const first = await rig.settle(one.send([batch(rig, 0, [1, 2]), batch(rig, 1, [3])]));
      expect(first.map(({ partition }) => partition).sort()).toEqual([0, 1]);
      await rig.settle(one.send([batch(rig, 0, [4])]));
      expect(await rig.keys(topicOf(rig), 0)).toEqual(['1', '2', '4']);
      expect(await rig.keys(topicOf(rig), 1)).toEqual(['3']);
      await rig.settle(one.close());
    });

    it('knows a leader for each partition of its topics', async () => {
      await using rig = await openRig();
      const one = await session(rig);
      for (const { topic, partitions } of rig.eventType.routes)
        for (let partition = 0; partition < partitions; partition += 1)
          expect(one.leaderOf(topic, partition)).toBeGreaterThanOrEqual(0);
      expect(one.mustRenew()).toBe(false);
      await rig.settle(one.close());
    });

    it('fences an older session of the same source on each partition from its own first write there (10e)', async () => {
      await using rig = await openRig();
      const older = await session(rig);
      await rig.settle(older.send([batch(rig, 0, [1]), batch(rig, 1, [2])]));
      const newer = await session(rig);
      await rig.settle(newer.send([batch(rig, 0, [3])]));
      await expect(rig.settle(older.send([batch(rig, 0, [4])]))).rejects.toMatchObject({
        code: 'SINK_FENCED',
      });
      const last = await session(rig);
      await rig.settle(last.send([batch(rig, 1, [5])]));
      await expect(rig.settle(newer.send([batch(rig, 1, [6])]))).rejects.toMatchObject({
        code: 'SINK_FENCED',
      });
      expect(await rig.keys(topicOf(rig), 0)).toEqual(['1', '3']);
      expect(await rig.keys(topicOf(rig), 1)).toEqual(['2', '5']);
      for (const each of [older, newer, last]) await rig.settle(each.close());
    });

    it('does not fence the session of another source', async () => {
      await using rig = await openRig();
      const other = { ...rig.identity, slot: 'another_slot' };
      const ours = await session(rig);
      await rig.settle(ours.send([batch(rig, 0, [1])]));
      const theirs = await session(rig, other);
      await rig.settle(theirs.send([batch(rig, 0, [100], other)]));
      await rig.settle(ours.send([batch(rig, 0, [2])]));
      expect(await rig.keys(topicOf(rig), 0)).toEqual(['1', '100', '2']);
      await rig.settle(ours.close());
      await rig.settle(theirs.close());
    });

    it('reads the tail of each partition: our own last record, whatever others wrote behind it, on any timeline', async () => {
      await using rig = await openRig();
      const other = { ...rig.identity, slot: 'another_slot' };
      const writer = await session(rig);
      await rig.settle(writer.send([batch(rig, 0, [7, 9])]));
      await rig.settle(writer.close());
      const foreign = await session(rig, other);
      expect(foreign.tails.size).toBe(0);
      await rig.settle(foreign.send([batch(rig, 0, [1000], other)]));
      await rig.settle(foreign.close());
      const reader = await session(rig, { ...rig.identity, timeline: 2 });
      const tails = [...reader.tails];
      expect(tails).toEqual([
        [laneKey(topicOf(rig), 0), { position: { commitLsn: 9n, index: 2 }, eid: 'event-9' }],
      ]);
      await rig.settle(reader.close());
    });

    it('sends nothing after it was closed', async () => {
      await using rig = await openRig();
      const one = await session(rig);
      await rig.settle(one.close());
      await expect(rig.settle(one.send([batch(rig, 0, [1])]))).rejects.toMatchObject({
        name: 'PipelineError',
      });
      expect(await rig.keys(topicOf(rig), 0)).toEqual([]);
      await rig.settle(one.close());
    });
  });
}
