import {
  deadLetterOf,
  parkedEntryFromText,
  parkedEntryHeader,
  redriveRow,
  waitingLetters,
  type DataOp,
  type DeadLetter,
  type DeadLetterTopics,
  type ParkedState,
} from '@outbound/contract';
import type { Chance } from './chance.ts';
import { beginningMs } from './life.ts';
import type { SimulatedKafka } from './simulated-kafka.ts';
import type { SimulatedPostgres } from './simulated-postgres.ts';
import type { OutboxRow } from './wal-log.ts';

/**
 * Somebody who writes dead letters again: too early, twice, a few of them, while events go on coming. Sees the topics
 * and nothing else.
 */
export class Operator {
  readonly #kafka: SimulatedKafka;
  readonly #postgres: SimulatedPostgres;
  readonly #chance: Chance;
  readonly #topics: DeadLetterTopics;
  rounds = 0;

  constructor(
    world: { readonly kafka: SimulatedKafka; readonly postgres: SimulatedPostgres },
    chance: Chance,
    topics: DeadLetterTopics,
  ) {
    this.#kafka = world.kafka;
    this.#postgres = world.postgres;
    this.#chance = chance;
    this.#topics = topics;
  }

  /** Parked keys, as the topic says. */
  parked(): Map<string, ParkedState> {
    const states = new Map<string, ParkedState>();
    for (const { key, headers } of this.#records(this.#topics.parkedKeys.topic)) {
      const entry = parkedEntryFromText(headers[parkedEntryHeader] ?? '');
      if (entry?.after) states.set(key, entry.after);
      else if (entry) states.delete(key);
    }
    return states;
  }

  letters(): DeadLetter[] {
    return Array.from(this.#records(this.#topics.deadLetters.topic)).flatMap(
      ({ headers, value }) => deadLetterOf(headers, value) ?? [],
    );
  }

  /** Works until then, at odd moments. */
  start(untilMs: number): void {
    const { scheduler } = this.#postgres;
    scheduler.after(this.#chance.gap(1500), () => {
      if (scheduler.nowMs > untilMs) return;
      if (this.#postgres.canWrite) this.redrive(this.#chance.happens(0.5));
      this.start(untilMs);
    });
  }

  /** One transaction for each parked key; `isWhole`: with all of its letters. */
  redrive(isWhole: boolean): void {
    const letters = this.letters();
    for (const state of this.parked().values()) {
      const waiting = waitingLetters(state, letters);
      const chosen = isWhole ? waiting : this.#some(waiting);
      const rows = chosen.flatMap((letter) => rowOf(letter) ?? []);
      if (rows.length === 0) continue;
      this.rounds += 1;
      this.#postgres.log.commit({
        xid: this.#postgres.log.nextXid(),
        commitTimeMs: beginningMs + this.#postgres.scheduler.nowMs,
        rows,
        hasForeignRow: false,
      });
      this.#postgres.wrote();
    }
  }

  #some(letters: readonly DeadLetter[]): readonly DeadLetter[] {
    const chance = this.#chance;
    const from = chance.happens(0.3) ? chance.int(0, letters.length) : 0;
    return letters
      .slice(from, from + chance.int(1, 3))
      .flatMap((letter) => (chance.happens(0.2) ? [letter, letter] : [letter]));
  }

  *#records(topic: string) {
    for (const [lane, { log }] of this.#kafka.partitions)
      if (lane.startsWith(`${topic}/`))
        for (const { record, isForeign } of log.records.slice(0, log.highWatermark))
          if (!isForeign) yield record;
  }
}

function rowOf(letter: DeadLetter): OutboxRow | undefined {
  const row = redriveRow(letter);
  return (
    row && {
      eid: row.id,
      aggregateType: row.aggregatetype,
      aggregateId: row.aggregateid,
      type: row.type,
      version: Number(row.version),
      dataOp: row.data_op as DataOp,
      payload: Buffer.from(row.payload),
      headers: row.headers,
      createdAt: '2026-01-02 00:00:00+00',
    }
  );
}
