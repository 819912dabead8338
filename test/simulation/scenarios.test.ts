import { describe, expect, it } from 'vitest';
import type { Publisher } from '../../services/relay/src/kafka/publisher.ts';
import { TransactionalSession } from '../../services/relay/src/kafka/transactional-session.ts';
import type { RelayState } from '../../services/relay/src/relay-observer.ts';
import type { RelayParts } from '../../services/relay/src/relay-parts.ts';
import type { ChangeSource } from '../../services/relay/src/wal/change-source.ts';
import { noLsn } from '../../services/relay/src/wal/lsn.ts';
import { beginningMs } from './life.ts';
import { slotNotProven } from './planted-inside.ts';
import { World } from './scenario-world.ts';
import { SimulatedPublisher } from './simulated-publisher.ts';

describe('a takeover that the loser does not notice', () => {
  /**
   * The slot is lost while Kafka is being opened, and the loser has the newest epoch. Gives the sessions that have written, and what the
   * loser said of itself until it could have noticed.
   */
  const takeover = async (): Promise<{
    readonly sessions: readonly number[];
    readonly said: readonly RelayState[];
  }> => {
    const world = new World();
    // Else it would end for want of an answer.
    world.postgres.sharedFate = 0;
    world.commit(3);
    let isKafkaOpen = false;
    // As unknown tails are allowed to: everything that was read counts as unpublished.
    const late = ({ publisher, clock }: RelayParts): { publisher: Publisher } => ({
      publisher: {
        open: async (identity) => {
          while (!isKafkaOpen) await clock.sleep(10);
          const session = await publisher.open(identity);
          return {
            tails: new Map(),
            leaderOf: (topic, partition) => session.leaderOf(topic, partition),
            send: (batches) => session.send(batches),
            mustRenew: () => session.mustRenew(),
            close: () => session.close(),
          };
        },
      },
    });
    const loser = world.relay('loser', late);
    await world.until('the loser has the slot', () => world.postgres.holder !== undefined);
    await world.scheduler.run(world.scheduler.nowMs + 100);
    const { holder } = world.postgres;
    if (holder) holder.isBlackholed = true;
    holder?.end(false);

    const winner = world.relay('winner');
    await world.until(
      'the winner has published',
      () => world.postgres.confirmedLsn >= world.postgres.log.lastCommitEndLsn,
    );
    expect(winner.states).toContain('streaming');
    isKafkaOpen = true;
    await world.scheduler.run(world.scheduler.nowMs + 2500);
    return { sessions: world.sessions, said: loser.states };
  };

  it('sends nothing, though its epoch is the newest, when the slot was lost while Kafka was being opened', async () => {
    expect((await takeover()).sessions).toEqual([0]);
  });

  it('never says that it streams: the slot is proven before, and not by the first event that wants to be sent (I11)', async () => {
    const { said } = await takeover();
    expect(said).not.toContain('streaming');
    expect(said).toContain('recovering');
  });

  it('would send and say so, if nobody asked who holds the slot', async () => {
    const { sessions, said } = await slotNotProven(takeover);
    expect(sessions).toEqual([0, 1]);
    expect(said).toContain('streaming');
  });
});

describe('an event that every broker refuses', () => {
  it('is named with its id when the relay stops, and left out when an operator has listed it', async () => {
    const world = new World();
    world.kafka.maxBatchBytes = 3000;
    world.commit(2);
    const poison = { ...world.row(), payload: Buffer.alloc(2900, `{}`) };
    const rows = [world.row(), poison, world.row()];
    world.postgres.log.commit({
      xid: world.postgres.log.nextXid(),
      commitTimeMs: beginningMs,
      rows,
      hasForeignRow: false,
    });
    const halts: unknown[] = [];
    world.onHalt = (_, thrown) => halts.push(thrown);
    world.relay('relay');
    await world.until('the relay has stopped', () => halts.length > 0);
    expect(halts).toMatchObject([
      {
        code: 'EVENT_REFUSED',
        eid: poison.eid,
        message: expect.stringMatching(
          /of type "sim.item-change" .* bytes as a record, is refused by partition \d of topic sim.item(-change)?: MESSAGE_TOO_LARGE/,
        ) as string,
      },
    ]);
    expect(JSON.stringify(halts)).not.toContain(`"${poison.aggregateId}"`);

    world.relay('relay told', ({ settings }) => ({
      settings: { ...settings, skipEvents: new Set([poison.eid]) },
    }));
    await world.until(
      'everything else is published',
      () => world.postgres.confirmedLsn >= world.postgres.log.lastCommitEndLsn,
    );
    for (const topic of ['sim.item-change', 'sim.item'])
      expect(world.versions(topic)).toEqual([1, 2, 4, 5]);
  });
});

describe('back-pressure before the stream is there', () => {
  it('pauses a stream that is over the bound when it is opened', async () => {
    const world = new World();
    let isPaused = false;
    const source: ChangeSource = {
      open: (listener) => {
        const { identity } = world.postgres;
        listener.opened(identity);
        listener.message(world.encoder.outboxRelation());
        listener.message(
          world.encoder.begin({
            xid: 1,
            commitLsn: world.postgres.log.endLsn,
            commitEndLsn: world.postgres.log.endLsn,
            commitTimeMs: beginningMs,
            rows: [],
            hasForeignRow: false,
          }),
        );
        for (let row = 0; row < 20; row += 1)
          listener.message(world.encoder.outboxRow(world.row()));
        return Promise.resolve({
          identity,
          startLsn: noLsn,
          report: () => undefined,
          pause: () => {
            isPaused = true;
          },
          resume: () => {
            isPaused = false;
          },
          heldForMs: Infinity,
          holdsSlot: () => Promise.resolve(true),
          flushedLsn: () => Promise.resolve(world.postgres.log.endLsn),
          close: () => Promise.resolve(),
        });
      },
    };
    for (const broker of world.kafka.brokerIds) world.kafka.kill(broker);
    world.relay('relay', () => ({ source }));
    await world.scheduler.run(1000);
    expect(isPaused).toBe(true);
  });
});

describe('a coordinator of transactions that leaves every commit without an answer at first', () => {
  it('costs a session each time, and no pause: what was committed is confirmed, and nothing has failed', async () => {
    const world = new World();
    let unanswered = 0;
    const { states } = world.relay('relay', (_parts, life) => ({
      publisher: new SimulatedPublisher({
        kafka: world.kafka,
        life,
        delivery: 'exactly-once',
        transactional: ({ transactions, ...parts }) =>
          new TransactionalSession({
            ...parts,
            transactions: {
              add: (partitions) => transactions.add(partitions),
              commit: async () => {
                await transactions.commit();
                unanswered += 1;
                return { isLastOfEpoch: true };
              },
              retire: (partitions, ms) => transactions.retire(partitions, ms),
              wasAbortedByTime: () => transactions.wasAbortedByTime(),
            },
          }),
      }),
    }));
    await world.until('it streams', () => states.includes('streaming'));
    // More than the bound on unconfirmed bytes: the next batch is there when a commit is.
    for (let transaction = 0; transaction < 40; transaction += 1) world.commit(5);
    await world.untilConfirmed();
    expect(unanswered).toBeGreaterThan(3);
    // Its own slot may still be held for a moment, which is no failure either.
    expect(states).not.toContain('recovering');
    const versions = Array.from({ length: 200 }, (_, index) => index + 1);
    expect(world.versions('sim.item')).toEqual(versions);
  });
});
