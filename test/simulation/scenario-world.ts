import { deadLetterTopics, recordHeader, type DeadLetterTopics } from '@outbound/contract';
import { expect } from 'vitest';
import { noFailPoint } from '../../services/relay/src/fail-points.ts';
import { silentObserver, type RelayState } from '../../services/relay/src/relay-observer.ts';
import type { RelayParts } from '../../services/relay/src/relay-parts.ts';
import { runRelay } from '../../services/relay/src/relay.ts';
import { defaultOutboxTable } from '../../services/relay/src/wal/outbox-table.ts';
import { Chance } from './chance.ts';
import { beginningMs, Life } from './life.ts';
import { PgoutputEncoder } from './pgoutput-encoder.ts';
import { Scheduler } from './scheduler.ts';
import { SimulatedKafka } from './simulated-kafka.ts';
import { SimulatedPostgres } from './simulated-postgres.ts';
import { SimulatedPublisher } from './simulated-publisher.ts';
import { SimulatedSource } from './simulated-source.ts';
import { itemChange } from './workload.ts';
import type { OutboxRow } from './wal-log.ts';

/** A small world without chance but in its delays, for a story that is told step by step. */
export class World {
  readonly scheduler = new Scheduler();
  readonly chance = new Chance('scenario');
  /** Where poison goes; undefined where it stops the relay. */
  readonly deadLetters: DeadLetterTopics | undefined;
  readonly kafka: SimulatedKafka;
  readonly postgres = new SimulatedPostgres(
    this.scheduler,
    this.chance.fork('postgres'),
    () => undefined,
  );
  readonly encoder = new PgoutputEncoder();
  /** Sessions that have written, in order of their first record. */
  readonly sessions: number[] = [];
  /** What a relay that stops for a person is judged by; a scenario that wants one says so. */
  onHalt: (name: string, thrown: unknown) => void = (name, thrown) =>
    expect.fail(`relay ${name} halted: ${String(thrown)}`);
  #version = 0;

  constructor({ hasDeadLetters = false }: { readonly hasDeadLetters?: boolean } = {}) {
    this.deadLetters = hasDeadLetters ? deadLetterTopics('sim.') : undefined;
    const { deadLetters } = this;
    this.kafka = new SimulatedKafka(this.scheduler, this.chance.fork('kafka'), [
      ...itemChange.routes,
      ...(deadLetters ? [deadLetters.deadLetters, deadLetters.parkedKeys] : []),
    ]);
    this.kafka.onAppended = (_lane, session) => {
      if (!this.sessions.includes(session)) this.sessions.push(session);
    };
  }

  commit(rows: number): void {
    this.commitRows(Array.from({ length: rows }, () => this.row()));
  }

  /** One transaction. */
  commitRows(rows: readonly OutboxRow[]): void {
    this.postgres.log.commit({
      xid: this.postgres.log.nextXid(),
      commitTimeMs: beginningMs,
      rows,
      hasForeignRow: false,
    });
    this.postgres.wrote();
  }

  row(over: Partial<OutboxRow> = {}): OutboxRow {
    this.#version += 1;
    return {
      eid: this.chance.uuid(),
      aggregateType: itemChange.dataType,
      aggregateId: 'item',
      type: itemChange.name,
      version: this.#version,
      dataOp: this.#version === 1 ? 'C' : 'U',
      payload: Buffer.alloc(500, `{}`),
      headers: '{}',
      createdAt: '2026-01-01 00:00:00+00',
      ...over,
    };
  }

  async untilConfirmed(): Promise<void> {
    await this.until(
      'the slot has confirmed everything',
      () => this.postgres.confirmedLsn >= this.postgres.log.lastCommitEndLsn,
    );
  }

  /** Starts a relay; its states are kept in order. */
  relay(
    name: string,
    over: (parts: RelayParts, life: Life) => Partial<RelayParts> = () => ({}),
  ): { life: Life; states: RelayState[] } {
    const life = new Life(name, this.scheduler, this.chance.fork(name));
    const states: RelayState[] = [];
    const parts: RelayParts = {
      source: new SimulatedSource({ postgres: this.postgres, life, encoder: this.encoder }),
      publisher: new SimulatedPublisher({
        kafka: this.kafka,
        life,
        parkedKeys: this.deadLetters?.parkedKeys,
      }),
      eventTypes: new Map([[itemChange.name, itemChange]]),
      clock: life.clock,
      random: this.chance.fork(`${name} random`).unit,
      settings: {
        outbox: defaultOutboxTable,
        limits: { recordsPerSend: 100, bytesPerBatch: 100_000 },
        maxInFlightBytes: 10_000,
        drainMs: 1000,
        stallLimitMs: 3000,
        skipEvents: new Set(),
        deadLetters: this.deadLetters,
      },
      observer: { ...silentObserver, stateChanged: (state) => states.push(state) },
      failPoint: noFailPoint,
    };
    runRelay({ ...parts, ...over(parts, life) }, new AbortController().signal).catch(
      (thrown: unknown) => this.onHalt(name, thrown),
    );
    return { life, states };
  }

  /** The versions in a topic, as they stand there. */
  versions(topic: string): number[] {
    return Array.from(this.kafka.partitions).flatMap(([lane, { log }]) =>
      lane.startsWith(`${topic}/`)
        ? log.records.map(({ record }) => Number(record.headers[recordHeader.dataVersion]))
        : [],
    );
  }

  /** @throws Error if it does not come true within a virtual minute. */
  async until(what: string, isTrue: () => boolean): Promise<void> {
    if (!(await this.scheduler.run(this.scheduler.nowMs + 60_000, isTrue)))
      throw new Error(`not within a virtual minute: ${what}`);
  }
}
