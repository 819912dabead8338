import { describe, expect, it } from 'vitest';
import { TransactionalSession } from '../../services/relay/src/kafka/transactional-session.ts';
import type { Plant } from './relay-assembly.ts';
import { runSchedule } from './schedule.ts';

const count = Number(process.env['SIMULATION_SCHEDULES'] ?? 60);
const only = process.env['SIMULATION_ONLY'];

async function judged(delivery: 'exactly-once' | 'mixed') {
  const seeds = only
    ? [only]
    : Array.from({ length: count }, (_, index) => `${delivery}-${index + 1}`);
  const sum = { bounded: 0, faults: 0, events: 0, duplicates: 0 };
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    for (const seed of seeds) {
      const result = await runSchedule(seed, { delivery, isTraced: only !== undefined });
      if (only) console.log(result.trace.join('\n'));
      expect(result.failures, `SIMULATION_ONLY='${seed}' shows it again`).toEqual([]);
      if (Number.isFinite(result.allowedDuplicates)) sum.bounded += 1;
      sum.faults += result.faults;
      sum.events += result.verdict.committed;
      sum.duplicates += result.verdict.duplicates;
    }
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  console.log(
    `${delivery}: ${seeds.length} schedules, ${sum.faults} faults, ${sum.events} events, ${sum.duplicates} duplicates (none allowed in ${sum.bounded})`,
  );
  return sum;
}

describe('relays that deliver exactly once', () => {
  it(
    'repeat no record in any schedule of faults, and keep every other promise',
    { timeout: 600_000 },
    async () => {
      const { bounded, faults } = await judged('exactly-once');
      if (only) return;
      expect(faults).toBeGreaterThan(count);
      expect(bounded).toBeGreaterThan(0.4 * count);
    },
  );

  it(
    'and relays that deliver at least once follow one another, and lose nothing',
    { timeout: 600_000 },
    async () => {
      await judged('mixed');
    },
  );
});

interface PlantedBug extends Plant {
  readonly breaks: readonly string[];
}

const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'confirms a batch before its transaction is committed',
    breaks: ['I1', 'I6'],
    publisher: {
      transactional: ({ transactions, ...parts }) => {
        let isOpen = false;
        return new TransactionalSession({
          ...parts,
          transactions: {
            add: async (partitions) => {
              if (isOpen) await transactions.commit();
              isOpen = true;
              await transactions.add(partitions);
            },
            commit: () => Promise.resolve({ isLastOfEpoch: false }),
            retire: () => Promise.resolve(),
            wasAbortedByTime: () => transactions.wasAbortedByTime(),
          },
        });
      },
    },
  },
  {
    name: 'begins another transaction behind a commit that may be carried out once more',
    breaks: ['I1', 'I6'],
    publisher: {
      transactional: ({ transactions, ...parts }) =>
        new TransactionalSession({
          ...parts,
          transactions: {
            add: (partitions) => transactions.add(partitions),
            commit: async () => {
              await transactions.commit();
              return { isLastOfEpoch: false };
            },
            retire: (partitions, ms) => transactions.retire(partitions, ms),
            wasAbortedByTime: () => transactions.wasAbortedByTime(),
          },
        }),
    },
  },
  {
    name: 'takes a record for published that is not committed',
    breaks: ['I1', 'I6'],
    publisher: { readsUncommitted: true },
  },
  {
    name: 'commits without what a broker did not answer',
    breaks: ['I1', 'I6', 'I7', 'I8'],
    publisher: {
      transactional: ({ session, ...parts }) =>
        new TransactionalSession({
          ...parts,
          session: {
            tails: session.tails,
            parked: session.parked,
            leaderOf: (topic, partition) => session.leaderOf(topic, partition),
            mustRenew: () => session.mustRenew(),
            close: () => session.close(),
            send: async (batches) => {
              const answers = await session.send(batches);
              return batches.map(
                ({ topic, partition }) =>
                  answers.find((each) => each.topic === topic && each.partition === partition) ?? {
                    topic,
                    partition,
                    baseOffset: -1n,
                  },
              );
            },
          },
        }),
    },
  },
];

describe('the simulation finds', () => {
  it.each(plantedBugs)('a transactional relay that $name', { timeout: 120_000 }, async (bug) => {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
      for (let schedule = 1; schedule <= 400; schedule += 1) {
        const { failures } = await runSchedule(`planted-${schedule}`, {
          plant: bug,
          delivery: 'exactly-once',
        });
        const found = failures.find((failure) =>
          bug.breaks.some((promise) => failure.startsWith(`${promise} `)),
        );
        if (!found) continue;
        console.log(`found by seed planted-${schedule}: ${found}`);
        return;
      }
      expect.fail('400 schedules broke nothing');
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  });
});
