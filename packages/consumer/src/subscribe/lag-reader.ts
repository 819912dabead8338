import type { Admin, Kafka } from 'kafkajs';
import { lagOf, type PartitionLag } from './lag.ts';

/** What the member knows of one of its partitions. */
export interface PartitionProgress {
  readonly partition: number;
  readonly position: bigint | undefined;
  readonly oldestMs: number | undefined;
}

/** Asks the broker for the ends of the partitions, over one connection of its own that is made when it is first needed. */
export class LagReader {
  readonly #kafka: Kafka;
  readonly #groupId: string;
  readonly #topic: string;
  #admin: Promise<Admin> | undefined;

  constructor(kafka: Kafka, groupId: string, topic: string) {
    this.#kafka = kafka;
    this.#groupId = groupId;
    this.#topic = topic;
  }

  /** @throws whatever kafkajs throws when no broker answers: a lag that nobody knows is not 0. */
  async read(progress: readonly PartitionProgress[]): Promise<readonly PartitionLag[]> {
    const admin = await this.#connected();
    const [ends, committed] = await Promise.all([
      admin.fetchTopicOffsets(this.#topic),
      admin.fetchOffsets({ groupId: this.#groupId, topics: [this.#topic] }),
    ]);
    const nowMs = Date.now();
    return progress.map(({ partition, position, oldestMs }) => {
      const end = ends.find((each) => each.partition === partition)?.high;
      const stored = committed[0]?.partitions.find((each) => each.partition === partition)?.offset;
      const known =
        position ?? (stored === undefined || stored === '-1' ? undefined : BigInt(stored));
      return {
        topic: this.#topic,
        partition,
        ...lagOf(
          { position: known, end: end === undefined ? undefined : BigInt(end), oldestMs },
          nowMs,
        ),
      };
    });
  }

  async close(): Promise<void> {
    const admin = await this.#admin?.catch(() => undefined);
    this.#admin = undefined;
    await admin?.disconnect();
  }

  async #connected(): Promise<Admin> {
    this.#admin ??= (async () => {
      const admin = this.#kafka.admin();
      await admin.connect();
      return admin;
    })();
    try {
      return await this.#admin;
    } catch (error) {
      this.#admin = undefined;
      throw error;
    }
  }
}
