import { setTimeout as delay } from 'node:timers/promises';
import { Kafka, logLevel, Partitioners, type Message, type Producer } from 'kafkajs';
import type { VersionCounter } from './kcat-producer.ts';
import { someKeys, type LiveTraffic } from './live-traffic.ts';
import { soakValue } from './soak-event.ts';

/** What an aborted event has in the place of its version: no reader may ever see it. */
export const abortedVersion = 999_999;

export interface TransactionalOptions {
  readonly bootstrap: readonly string[];
  readonly topic: string;
  readonly versions: VersionCounter;
  readonly random: () => number;
  /** Among how many keys; default those of a round. */
  readonly keys?: number;
  /** How many of the records of a committed transaction are tombstones: 0 to 1. */
  readonly tombstones?: number;
}

/** Transactions of 1 to 20 events one after another; two of five are aborted. What a broker's end leaves open is aborted by its next producer, under the same id. */
export class TransactionalTraffic implements LiveTraffic {
  readonly #options: TransactionalOptions;
  readonly #ended = new AbortController();
  readonly #writing: Promise<void>;
  committed = 0;
  aborted = 0;

  constructor(options: TransactionalOptions) {
    this.#options = options;
    this.#writing = this.#write();
    this.#writing.catch(() => undefined);
  }

  async end(): Promise<void> {
    this.#ended.abort();
    await this.#writing;
  }

  kill(): void {
    this.#ended.abort();
  }

  async #write(): Promise<void> {
    const { bootstrap, topic } = this.#options;
    const kafka = new Kafka({
      brokers: [...bootstrap],
      logLevel: logLevel.NOTHING,
      retry: { retries: 3, initialRetryTime: 200, maxRetryTime: 1_000 },
    });
    while (!this.#ended.signal.aborted) {
      const producer = kafka.producer({
        createPartitioner: Partitioners.DefaultPartitioner,
        allowAutoTopicCreation: false,
        idempotent: true,
        maxInFlightRequests: 1,
        transactionalId: `soak-${topic}`,
      });
      try {
        await producer.connect();
        while (!this.#ended.signal.aborted) await this.#transaction(producer);
      } catch {
        // A broker is away: the next producer begins by ending what this one left open.
        await delay(300);
      } finally {
        await producer.disconnect().catch(() => undefined);
      }
    }
    await this.#endWhatIsOpen(kafka);
  }

  async #transaction(producer: Producer): Promise<void> {
    const { topic, random, keys: of } = this.#options;
    const isCommitted = random() < 0.6;
    const keys = someKeys(random, 1 + Math.floor(random() * 20), of);
    const messages = isCommitted
      ? keys.map((key) => this.#message(key))
      : keys.map((key) => ({ key, value: soakValue(key, abortedVersion) }));
    const transaction = await producer.transaction();
    await transaction.send({ topic, acks: -1, messages });
    await (isCommitted ? transaction.commit() : transaction.abort());
    if (isCommitted) this.committed += 1;
    else this.aborted += 1;
  }

  #message(key: string): Message {
    const { versions, random, tombstones = 0 } = this.#options;
    const version = versions.next(key);
    if (random() >= tombstones) return { key, value: soakValue(key, version) };
    return { key, value: null, headers: { data_version: String(version) } };
  }

  /** An open transaction would hide all that follows from readers of committed records. */
  async #endWhatIsOpen(kafka: Kafka): Promise<void> {
    for (let tries = 0; ; tries += 1) {
      const producer = kafka.producer({
        idempotent: true,
        maxInFlightRequests: 1,
        transactionalId: `soak-${this.#options.topic}`,
        createPartitioner: Partitioners.DefaultPartitioner,
      });
      try {
        await producer.connect();
        await producer.disconnect();
        return;
      } catch (error) {
        if (tries > 50) throw error;
        await delay(500);
      }
    }
  }
}
