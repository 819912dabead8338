import { eventTypes, withTopicPrefix } from '@outbound/schemas';
import { walBudget } from '@outbound/service-kit';
import { cliPrefix } from '../cli-settings.ts';
import type { CliContext } from '../context.ts';
import { openKafkaAdmin, type KafkaAdmin } from '../kafka/kafka-admin.ts';
import { readKafkaStatus, type KafkaStatus } from './kafka-status.ts';
import { learn, type Part } from './part.ts';
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

/** Everything that could be learnt; a slot or publication that does not exist is known, and undefined. */
export interface Status {
  readonly slot: Part<SlotStatus | undefined>;
  readonly publication: Part<PublicationStatus | undefined>;
  readonly outbox: Part<OutboxStatus>;
  readonly operations: Part<readonly OperationStatus[]>;
  readonly relay: Part<RelayStatus>;
  readonly kafka: Part<KafkaStatus>;
}

/** Asks all parts at once; one that fails leaves the others alone. Keeps its connection to Kafka between two looks. */
export class StatusReader {
  readonly #context: CliContext;
  readonly #slot: SlotReader;
  #admin: KafkaAdmin | undefined;

  constructor(context: CliContext) {
    this.#context = context;
    const { settings } = context;
    this.#slot = new SlotReader(settings.slot, walBudget(settings, { prefix: cliPrefix }));
    context.onClose(async () => this.#admin?.close());
  }

  async read(): Promise<Status> {
    const { settings, signal } = this.#context;
    const sql = <Value>(
      ask: (pool: Awaited<ReturnType<CliContext['database']>>) => Promise<Value>,
    ) => learn(async () => ask(await this.#context.database()), signal);
    const [slot, publication, outbox, operations, relay, kafka] = await Promise.all([
      sql((pool) => this.#slot.read(pool)),
      sql((pool) => readPublicationStatus(pool, settings.publication)),
      sql(readOutboxStatus),
      sql(readOperations),
      learn(() => this.#relay(), signal),
      learn(() => this.#kafka(), signal),
    ]);
    return { slot, publication, outbox, operations, relay, kafka };
  }

  async #relay(): Promise<RelayStatus> {
    const { settings, signal } = this.#context;
    if (settings.relayAdminUrl === undefined)
      throw new Error('OUTBOUND_RELAY_ADMIN_URL is not set (--relay-admin-url)');
    return readRelayStatus(settings.relayAdminUrl, signal);
  }

  async #kafka(): Promise<KafkaStatus> {
    const { settings, signal } = this.#context;
    const connection = this.#context.kafka();
    try {
      this.#admin ??= await openKafkaAdmin(connection);
      return await readKafkaStatus(this.#admin, {
        connection,
        eventTypes: withTopicPrefix(eventTypes, settings.topicPrefix),
        nowMs: Date.now,
        signal,
      });
    } catch (error) {
      const broken = this.#admin;
      this.#admin = undefined;
      await broken?.close().catch(() => undefined);
      throw error;
    }
  }
}
