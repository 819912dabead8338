import { walBudget } from '@outbound/service-kit';
import { cliPrefix } from '../cli-prefix.ts';
import type { CliContext } from '../context.ts';
import { openKafkaAdmin, type KafkaAdmin } from '../kafka/kafka-admin.ts';
import { readKafkaStatus, type KafkaStatus } from './kafka-status.ts';
import { learn, type Part } from './part.ts';
import { readParkedStatus, type ParkedStatus } from './parked-status.ts';
import { readRelayStatus, type RelayStatus } from './relay-status.ts';
import {
  readOperations,
  readOutboxStatus,
  readPublicationStatus,
  type OperationStatus,
  type OutboxStatus,
  type PublicationStatus,
} from './source-status.ts';
import { SlotReader, type SlotStatus } from './slot-status.ts';

/** Everything that could be learnt; what does not exist is known, and undefined. */
export interface Status {
  readonly slot: Part<SlotStatus | undefined>;
  readonly publication: Part<PublicationStatus | undefined>;
  readonly outbox: Part<OutboxStatus>;
  readonly operations: Part<readonly OperationStatus[]>;
  readonly relay: Part<RelayStatus>;
  readonly kafka: Part<KafkaStatus>;
  /** Undefined: there are no topics for dead letters. */
  readonly deadLetters: Part<ParkedStatus | undefined>;
}

/** Asks all parts at once; one that fails leaves the others alone. Keeps its connection to Kafka between two looks. */
export class StatusReader {
  readonly #context: CliContext;
  readonly #slot: SlotReader;
  #admin: Promise<KafkaAdmin> | undefined;

  constructor(context: CliContext) {
    this.#context = context;
    const { settings } = context;
    this.#slot = new SlotReader(settings.slot, walBudget(settings, { prefix: cliPrefix }));
    context.onClose(async () => (await this.#admin)?.close());
  }

  async read(): Promise<Status> {
    const { settings, signal } = this.#context;
    const sql = <Value>(
      ask: (pool: Awaited<ReturnType<CliContext['database']>>) => Promise<Value>,
    ) => learn(async () => ask(await this.#context.database()), signal);
    const [slot, publication, outbox, operations, relay, kafka, deadLetters] = await Promise.all([
      sql((pool) => this.#slot.read(pool)),
      sql((pool) => readPublicationStatus(pool, settings.publication)),
      sql(readOutboxStatus),
      sql(readOperations),
      learn(() => this.#relay(), signal),
      learn(() => this.#kafka(), signal),
      learn(() => this.#deadLetters(), signal),
    ]);
    return { slot, publication, outbox, operations, relay, kafka, deadLetters };
  }

  async #relay(): Promise<RelayStatus> {
    const { settings, signal } = this.#context;
    if (settings.relayAdminUrl === undefined)
      throw new Error('OUTBOUND_RELAY_ADMIN_URL is not set (--relay-admin-url)');
    return readRelayStatus(settings.relayAdminUrl, signal);
  }

  async #kafka(): Promise<KafkaStatus> {
    const eventTypes = await this.#context.eventTypes();
    return this.#ask((admin) =>
      readKafkaStatus(admin, {
        connection: this.#context.kafka(),
        eventTypes,
        nowMs: Date.now,
        signal: this.#context.signal,
      }),
    );
  }

  async #deadLetters(): Promise<ParkedStatus | undefined> {
    const { settings, signal } = this.#context;
    return this.#ask((admin) =>
      readParkedStatus(
        { admin, connection: this.#context.kafka(), signal },
        { topicPrefix: settings.topicPrefix, nowMs: Date.now() },
      ),
    );
  }

  /** One connection for all questions of all looks; after a failure the next look opens another. */
  async #ask<Value>(question: (admin: KafkaAdmin) => Promise<Value>): Promise<Value> {
    const connection = this.#context.kafka();
    const opening = (this.#admin ??= openKafkaAdmin(connection));
    try {
      return await question(await opening);
    } catch (error) {
      if (this.#admin === opening) this.#admin = undefined;
      await opening.then((admin) => admin.close()).catch(() => undefined);
      throw error;
    }
  }
}
