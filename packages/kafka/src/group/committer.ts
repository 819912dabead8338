import type { Clock } from '@outbound/service-kit';
import { KafkaError } from '../kafka-error.ts';
import type { CommitAnswer, GroupCoordinator, MemberIdentity } from '../ports/group-coordinator.ts';
import { partitionKey, type TopicPartition } from '../ports/partition.ts';
import { CommitDoubts } from './commit-doubts.ts';
import { commitFate, notOurs } from './commit-fate.ts';
import type { Held, HeldPartitions } from './held-partitions.ts';
import type { Membership } from './membership.ts';
import { mustHeal, Retry } from './retry.ts';
import { commitMarkText } from './start-position.ts';
import { unlessAborted, Wake } from './wake.ts';

/** Next record to read. */
export interface Position extends TopicPartition {
  readonly offset: bigint;
}

export interface CommitterParts {
  readonly coordinator: GroupCoordinator;
  readonly clock: Clock;
  readonly random: () => number;
  readonly held: HeldPartitions;
  readonly membership: Membership;
  /** Each code that the coordinator answered, 0 too. The identity is the one that was asked with. */
  onCode(code: number, identity: MemberIdentity): void;
  onUnavailable(error: KafkaError): void;
}

/** Whoever changes what a held commit waits for wakes it; this is for the case that nobody does. */
const holdMs = 1000;

/** A position of one life on its way to the coordinator; several calls may wait for it. */
interface Item {
  offset: bigint;
  /** The owner begins anew at a lower position, on purpose. */
  mayLower: boolean;
  refusals: number;
  readonly waiting: ((error: KafkaError | undefined) => void)[];
}

/**
 * Commits positions for one member, one request at a time, so that none overtakes another; after one that had no
 * answer, and may be carried out late, once more (`CommitDoubts`). Per life of a partition a position only rises. A
 * commit belongs to its life: when the partition has gone, it is refused, whatever became of it on the way. Whatever
 * heals is waited for; between the answer to a join and our share nothing is sent, because the coordinator takes no
 * commit then.
 */
export class Committer {
  readonly #parts: CommitterParts;
  readonly #retry: Retry;
  readonly #wake = new Wake();
  readonly #over = new AbortController();
  readonly #queue = new Map<Held, Item>();
  /** Their commits are out: what `committed` says of them is about to be old. */
  readonly #sending = new Set<Held>();
  readonly #doubts = new CommitDoubts();
  readonly #doubtWake = new Wake();
  #isRepeating = false;
  #repetition: Promise<void> = Promise.resolve();
  #isRunning = false;
  #run: Promise<void> = Promise.resolve();

  constructor(parts: CommitterParts) {
    this.#parts = parts;
    this.#retry = new Retry(parts.clock, parts.random);
  }

  /**
   * What was committed is resolved; what is not ours is refused before anything is sent, and the rest is committed
   * all the same. @throws KafkaError
   */
  async commit(positions: readonly Position[], mayLower = false): Promise<void> {
    const gone: string[] = [];
    const lives: [Held, bigint][] = [];
    for (const position of positions) {
      const held = this.#parts.held.get(position);
      if (held) lives.push([held, position.offset]);
      else gone.push(partitionKey(position));
    }
    const outcomes = await this.commitLives(lives, mayLower);
    const error = outcomes.find((outcome) => outcome !== undefined);
    if (gone.length > 0) throw notOurs(gone);
    if (error) throw error;
  }

  /** The same for lives that the caller knows; an outcome for each. Never rejects. */
  async commitLives(
    lives: readonly (readonly [Held, bigint])[],
    mayLower = false,
  ): Promise<(KafkaError | undefined)[]> {
    const outcomes = lives.map(
      async ([held, offset]) =>
        new Promise<KafkaError | undefined>((resolve) =>
          this.#enqueue(held, { offset, mayLower, refusals: 0, waiting: [resolve] }),
        ),
    );
    this.#begin();
    return Promise.all(outcomes);
  }

  /** Something has changed that a waiting commit may go on from. */
  wake(): void {
    this.#wake.wake();
  }

  /** Refuses everything that was not answered. Resolves when nothing is on its way any more. */
  async close(): Promise<void> {
    this.#over.abort();
    this.wake();
    this.#doubtWake.wake();
    await this.#repetition;
    await this.#run;
  }

  #begin(): void {
    if (!this.#isRunning) this.#run = this.#sendAll();
  }

  /** Commits once more what is in doubt, as long as anything is. */
  async #repeatAll(): Promise<void> {
    const { clock, held } = this.#parts;
    this.#isRepeating = true;
    for (;;) {
      this.#doubts.forget(
        (life) => !held.has(life) || (life.committed < 0n && !this.#isUnderWay(life)),
      );
      const { nextMs } = this.#doubts;
      if (nextMs === undefined || this.#over.signal.aborted) break;
      await clock.sleep(Math.max(nextMs - clock.nowMs(), 0), this.#doubtWake.signal);
      const due = this.#doubts.due(clock.nowMs());
      for (const life of due) {
        const again = { offset: life.committed, mayLower: true, refusals: 0, waiting: [] };
        // What is queued for it does as well; what is out is newer, and if it does not do, this comes by again.
        if (!this.#isUnderWay(life)) this.#queue.set(life, again);
      }
      if (due.length > 0) this.#begin();
      await this.#run;
    }
    this.#isRepeating = false;
  }

  #isUnderWay(life: Held): boolean {
    return this.#queue.has(life) || this.#sending.has(life);
  }

  #enqueue(held: Held, item: Item): void {
    const queued = this.#queue.get(held);
    if (!queued) {
      this.#queue.set(held, item);
      return;
    }
    queued.waiting.push(...item.waiting);
    if (item.mayLower || item.offset > queued.offset) queued.offset = item.offset;
    queued.mayLower ||= item.mayLower;
  }

  /** Puts back what was sent in vain; what came meanwhile is newer. */
  #putBack(held: Held, item: Item): void {
    const newer = this.#queue.get(held);
    if (!newer) {
      this.#queue.set(held, item);
      return;
    }
    newer.waiting.push(...item.waiting);
    if (!newer.mayLower && item.offset > newer.offset) newer.offset = item.offset;
    // What comes after a new beginning lies below what is committed, as that does.
    newer.mayLower ||= item.mayLower;
  }

  /** Runs until nothing waits. Never rejects: whoever waits is told. */
  async #sendAll(): Promise<void> {
    this.#isRunning = true;
    const { membership, clock } = this.#parts;
    try {
      for (;;) {
        this.#dropSettled();
        if (this.#queue.size === 0) return;
        if (this.#over.signal.aborted)
          throw new KafkaError(
            'KAFKA_NOT_OURS',
            'nothing can be committed: the member has stopped',
          );
        if (membership.phase === 'syncing' || membership.generationId < 0) {
          await clock.sleep(holdMs, this.#wake.signal);
          continue;
        }
        const batch = [...this.#queue];
        this.#queue.clear();
        for (const [life] of batch) this.#sending.add(life);
        const isSettled = await this.#send(batch);
        this.#sending.clear();
        if (isSettled) this.#retry.reset();
        else if (!this.#over.signal.aborted) await this.#retry.wait(this.#wake.signal);
      }
    } catch (error) {
      const reason =
        error instanceof KafkaError
          ? error
          : new KafkaError('KAFKA_REJECTED', `a commit failed: ${String(error)}`, { cause: error });
      for (const item of this.#queue.values()) tell(item, reason);
      this.#queue.clear();
    } finally {
      this.#sending.clear();
      this.#isRunning = false;
    }
  }

  /** @returns false if something has to be sent again; it is in the queue then. */
  async #send(batch: readonly (readonly [Held, Item])[]): Promise<boolean> {
    const { coordinator, membership, clock } = this.#parts;
    const { identity } = membership;
    const sentMs = clock.nowMs();
    const lives = batch.map(([life]) => life);
    const entries = batch.map(([{ topic, partition, mark }, { offset }]) => ({
      topic,
      partition,
      offset,
      metadata: commitMarkText(mark),
    }));
    let answers: readonly CommitAnswer[] | undefined;
    try {
      answers = await unlessAborted(coordinator.commit(identity, entries), this.#over.signal);
    } catch (error) {
      // It may have been carried out, or will be; sent again it changes nothing.
      for (const [life, item] of batch) this.#putBack(life, item);
      this.#parts.onUnavailable(mustHeal(error));
      this.#doubts.add(lives, clock.nowMs());
      this.#doubtWake.wake();
      if (!this.#isRepeating) this.#repetition = this.#repeatAll();
      return false;
    }
    if (answers) this.#doubts.answered(lives, sentMs);
    const codes = new Map(answers?.map((answer) => [partitionKey(answer), answer.errorCode]));
    let isSettled = true;
    for (const [life, item] of batch) {
      const fate = commitFate(life, codes.get(partitionKey(life)), item.refusals);
      if (fate === 'again') {
        item.refusals += 1;
        this.#putBack(life, item);
        isSettled = false;
        continue;
      }
      if (fate === 'done') life.committed = item.offset;
      tell(item, fate === 'done' ? undefined : fate);
    }
    // After the commits are counted: what the member makes of a code may end lives.
    for (const code of new Set(codes.values())) this.#parts.onCode(code, identity);
    return isSettled;
  }

  /** What has gone is refused, what is there already is done. */
  #dropSettled(): void {
    for (const [held, item] of this.#queue) {
      const isGone = !this.#parts.held.has(held);
      if (!isGone && (item.mayLower || item.offset > held.committed)) continue;
      this.#queue.delete(held);
      tell(item, isGone ? notOurs([partitionKey(held)]) : undefined);
    }
  }
}

function tell(item: Item, error: KafkaError | undefined): void {
  for (const resolve of item.waiting.splice(0)) resolve(error);
}
