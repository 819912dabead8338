import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startSharingMember, type Make, type SharingMember } from './sharing-member.ts';

const partitionCount = 6;
const group = 'shared';
const topic = 'shared-topic';

/** One group, one topic: Kafka's Java consumer, librdkafka's and ours, each with cooperative-sticky. */
describe('a group of three makes', () => {
  let kafka: KafkaCluster;
  beforeAll(async () => {
    kafka = await startKafka({ brokers: 1 });
    const made = ['--create', '--topic', topic, '--partitions', String(partitionCount)];
    expect(await kafka.tool('topics', made)).toMatchObject({ code: 0 });
  });
  afterAll(async () => kafka.close());

  it.each<[Make, Make, Make]>([
    ['ours', 'Java', 'librdkafka'],
    ['Java', 'librdkafka', 'ours'],
    ['librdkafka', 'ours', 'Java'],
  ])(
    'led by %s, then joined by %s and %s: each partition has one owner at every moment, and members come and go',
    async (...makes) => {
      const everybody: SharingMember[] = [];
      const start = async (make: Make): Promise<SharingMember> => {
        const bootstrap = kafka.bootstrap.join(',');
        const member = await startSharingMember(make, { bootstrap, group, topic });
        onTestFinished(async () => member[Symbol.asyncDispose]());
        everybody.push(member);
        return member;
      };
      // Who comes first leads, and goes on leading until it leaves (Kafka's coordinator).
      const first = await start(makes[0]);
      await shared([[first, 6]]);
      const second = await start(makes[1]);
      await shared([
        [first, 3],
        [second, 3],
      ]);
      const third = await start(makes[2]);
      await shared([
        [first, 2],
        [second, 2],
        [third, 2],
      ]);
      for (const member of everybody)
        expect(member.isLeader()).toBe(member === first && first.make === 'ours');
      // The leader leaves, and one of the others has to share out what it had; then its like comes back.
      await first.end();
      await shared([
        [second, 3],
        [third, 3],
      ]);
      const again = await start(makes[0]);
      await shared([
        [again, 2],
        [second, 2],
        [third, 2],
      ]);
      for (const member of [again, second, third]) await member.end();
      await expectOneOwner(everybody);
    },
  );
});

/** Waits until each of these has so many partitions, all together and each once. */
async function shared(wanted: readonly (readonly [SharingMember, number])[]): Promise<void> {
  await eventually(
    async () => {
      const owned: number[] = [];
      for (const [member, count] of wanted) {
        const open = (await member.holdings()).filter(({ toMs }) => toMs === undefined);
        expect(open, member.make).toHaveLength(count);
        owned.push(...open.map(({ partition }) => partition));
      }
      expect(owned.sort()).toEqual(Array.from({ length: partitionCount }, (_, index) => index));
      return true;
    },
    { timeoutMs: 60_000, intervalMs: 100 },
  );
}

/** No partition was with two members at a time. */
async function expectOneOwner(members: readonly SharingMember[]): Promise<void> {
  const all = [];
  for (const member of members)
    for (const holding of await member.holdings()) all.push({ ...holding, make: member.make });
  expect(all.filter(({ toMs }) => toMs === undefined)).toEqual([]);
  for (let partition = 0; partition < partitionCount; partition += 1) {
    const ofOne = all
      .filter((holding) => holding.partition === partition)
      .sort((a, b) => a.fromMs - b.fromMs);
    expect(ofOne.length).toBeGreaterThan(0);
    for (const [index, holding] of ofOne.entries())
      expect(
        ofOne[index + 1]?.fromMs ?? Infinity,
        `partition ${partition}: ${JSON.stringify(ofOne)}`,
      ).toBeGreaterThanOrEqual(holding.toMs ?? Infinity);
  }
}
