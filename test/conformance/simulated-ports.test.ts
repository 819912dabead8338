import { Chance } from '../simulation/chance.ts';
import { beginningMs, Life } from '../simulation/life.ts';
import { PgoutputEncoder } from '../simulation/pgoutput-encoder.ts';
import { Scheduler } from '../simulation/scheduler.ts';
import { SimulatedKafka } from '../simulation/simulated-kafka.ts';
import { SimulatedPostgres } from '../simulation/simulated-postgres.ts';
import { SimulatedPublisher } from '../simulation/simulated-publisher.ts';
import { SimulatedSource } from '../simulation/simulated-source.ts';
import { itemChange } from '../simulation/workload.ts';
import { changeSourceConformance } from './change-source.ts';
import { publisherConformance } from './publisher.ts';

/** Runs the virtual clock until a promise is settled. */
function settler(scheduler: Scheduler) {
  return async <T>(promise: Promise<T>): Promise<T> => {
    let isSettled = false;
    const settled = promise.finally(() => {
      isSettled = true;
    });
    // Looked at by the caller; here only its end matters.
    settled.catch(() => undefined);
    await scheduler.run(scheduler.nowMs + 60_000, () => isSettled);
    return settled;
  };
}

changeSourceConformance('simulated', () => {
  const scheduler = new Scheduler();
  const chance = new Chance('conformance');
  const postgres = new SimulatedPostgres(scheduler, chance.fork('postgres'), () => undefined);
  const encoder = new PgoutputEncoder();
  let lives = 0;
  const log = (rows: number): void => {
    postgres.log.commit({
      xid: postgres.log.nextXid(),
      commitTimeMs: beginningMs,
      hasForeignRow: chance.happens(0.5),
      rows: Array.from({ length: rows }, (_, index) => ({
        eid: chance.uuid(),
        aggregateType: itemChange.dataType,
        aggregateId: 'item',
        type: itemChange.name,
        version: index + 1,
        dataOp: 'U' as const,
        payload: Buffer.from('{}'),
        headers: '{}',
        createdAt: '2026-01-01 00:00:00+00',
      })),
    });
    postgres.wrote();
  };
  const elsewhere = (bytes: number): void => {
    postgres.log.grow(bytes);
    postgres.wrote();
  };
  return Promise.resolve({
    source: () => {
      lives += 1;
      const life = new Life(`life ${lives}`, scheduler, chance);
      return new SimulatedSource({ postgres, life, encoder });
    },
    commit: (rows) => Promise.resolve(log(rows)),
    rollBack: (rows) => Promise.resolve(elsewhere(rows * 64)),
    writeElsewhere: () => Promise.resolve(elsewhere(512)),
    confirmedLsn: () => Promise.resolve(postgres.confirmedLsn),
    cut: () => Promise.resolve(postgres.holder?.end(true)),
    settle: settler(scheduler),
    until: async (what, isTrue) => {
      for (let step = 0; step < 3000; step += 1) {
        if (await isTrue()) return;
        await scheduler.run(scheduler.nowMs + 20);
      }
      throw new Error(`not within a virtual minute: ${what}`);
    },
    pass: async () => {
      await scheduler.run(scheduler.nowMs + 1000);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});

publisherConformance('simulated', () => {
  const scheduler = new Scheduler();
  const chance = new Chance('conformance');
  const kafka = new SimulatedKafka(scheduler, chance.fork('kafka'), itemChange.routes);
  return Promise.resolve({
    eventType: itemChange,
    identity: { systemIdentifier: '7', timeline: 1, database: 'shop', slot: 'outbound' },
    publisher: () =>
      Promise.resolve(new SimulatedPublisher({ kafka, life: new Life('life', scheduler, chance) })),
    keys: (topic, partition) =>
      Promise.resolve(
        kafka.partition(`${topic}/${partition}`).log.records.map(({ record }) => record.key),
      ),
    settle: settler(scheduler),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});
