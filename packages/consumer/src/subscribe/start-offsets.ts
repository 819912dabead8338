import type { Admin, Kafka } from 'kafkajs';

/** Asks where a group goes on in a topic, over one connection of its own that is made when it is first needed. */
export class StartOffsets {
  readonly #options: {
    readonly kafka: Kafka;
    readonly groupId: string;
    readonly topic: string;
    readonly from: 'beginning' | 'end';
  };
  #admin: Promise<Admin> | undefined;

  constructor(options: {
    readonly kafka: Kafka;
    readonly groupId: string;
    readonly topic: string;
    readonly from: 'beginning' | 'end';
  }) {
    this.#options = options;
  }

  /**
   * The offset of each partition: what the group committed, else the beginning or the end.
   * @throws whatever kafkajs throws when no broker answers, and Error if one of the partitions is not known.
   */
  async read(partitions: readonly number[]): Promise<ReadonlyMap<number, bigint>> {
    const { groupId, topic, from } = this.#options;
    const admin = await this.#connected();
    const [stored] = await admin.fetchOffsets({ groupId, topics: [topic] });
    const offsets = new Map(
      stored?.partitions
        .map(({ partition, offset }) => [partition, BigInt(offset)] as const)
        // Nothing is committed: −1.
        .filter(([, offset]) => offset >= 0n),
    );
    if (partitions.some((partition) => !offsets.has(partition)))
      for (const { partition, low, high } of await admin.fetchTopicOffsets(topic))
        if (!offsets.has(partition))
          offsets.set(partition, BigInt(from === 'beginning' ? low : high));
    return new Map(
      partitions.map((partition) => {
        const offset = offsets.get(partition);
        if (offset === undefined)
          throw new Error(`no broker knows partition ${partition} of topic ${topic}`);
        return [partition, offset];
      }),
    );
  }

  async close(): Promise<void> {
    const admin = await this.#admin?.catch(() => undefined);
    this.#admin = undefined;
    await admin?.disconnect();
  }

  async #connected(): Promise<Admin> {
    const { kafka } = this.#options;
    this.#admin ??= (async () => {
      const admin = kafka.admin();
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
