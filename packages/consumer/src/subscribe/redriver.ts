import { partitionKey, type TopicPartition } from '@outbound/kafka';
import { errorForLog, type Clock, type KafkaLog } from '@outbound/service-kit';
import { causeOf } from '../dead-letters/dead-letter-record.ts';
import type { DeadLetter } from '../dead-letters/dead-letter.ts';
import { queueName, type RedriveRequest } from '../dead-letters/redrive-journal.ts';
import type { RedrivePort } from '../dead-letters/redrive-port.ts';
import { mostTries, RedriveTask, whereToBegin } from '../dead-letters/redrive-task.ts';
import { ConsumerError } from '../errors.ts';
import type { Outcome } from './attempts.ts';
import type { Life } from './life.ts';
import type { PartitionWork } from './partition-work.ts';

const everyMs = 1_000;
const whileMissingMs = 5_000;

/** What the redriver wants of the rest of a subscription. */
export interface RedriverOptions {
  readonly group: string;
  readonly port: RedrivePort;
  /** The partition, if it is ours now. */
  readonly find: (
    at: TopicPartition,
  ) => Pick<PartitionWork, 'tracker' | 'highWatermark'> | undefined;
  /** `Dispatcher.alone`. */
  readonly alone: <Result>(
    at: TopicPartition,
    task: (life: Life) => Promise<Result>,
  ) => Promise<Result | undefined>;
  /** Hands a dead letter to the handler of its topic, once; undefined for a topic that is not ours. */
  readonly deliver: (letter: DeadLetter, life: Life) => Promise<Outcome>;
  /** Lets the key be handled again. */
  readonly release: (at: TopicPartition, key: string) => Promise<void>;
  readonly clock: Clock;
  readonly log: KafkaLog;
}

/**
 * Carries out what people have asked for dead letters: looks into the journal every second, and does what is asked for
 * keys of partitions that are ours. A letter is handed to the handler while nothing else of its partition runs, one by
 * one in their order; between two letters the partition flows. A key is freed when no letter of it waits, in a moment
 * in which none can be written: only we write letters of this partition.
 *
 * What was done is written after it was done, so a crash repeats one letter at the most.
 */
export class Redriver {
  readonly #options: RedriverOptions;
  /** What was told last, so that it is told once. */
  #told = '';

  constructor(options: RedriverOptions) {
    this.#options = options;
  }

  /** Until the signal. Never rejects: a subscription does not end because its dead letters cannot be redriven. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, port, log } = this.#options;
    while (!signal.aborted) {
      let waitMs = everyMs;
      try {
        if (!(await this.round(signal))) {
          waitMs = whileMissingMs;
          this.#tell(`missing`, () =>
            log.info(
              { topic: port.topic },
              'dead letters cannot be redriven: make this topic (compacted) for it',
            ),
          );
        } else this.#told = '';
      } catch (error) {
        if (!signal.aborted)
          this.#tell(JSON.stringify(errorForLog(error)), () =>
            log.warn(
              { topic: port.topic, error },
              'dead letters cannot be redriven now, trying again',
            ),
          );
      }
      await clock.sleep(waitMs, signal);
    }
  }

  /** Does what is asked for now; false where there is no journal. */
  async round(signal: AbortSignal): Promise<boolean> {
    const { group, port, find } = this.#options;
    const book = await port.look();
    if (!book) return false;
    const isOurs = (request: RedriveRequest): boolean =>
      request.group === group && find(request) !== undefined;
    for (const progress of book.wentBack()) {
      const request = book.request(progress);
      if (request && isOurs(request)) await port.tell(progress);
    }
    const tasks = new Map(
      book
        .open()
        .filter(isOurs)
        .map((request) => [queueName(request), new RedriveTask(request, book.progress(request))]),
    );
    if (tasks.size === 0) return true;
    const from = whereToBegin(tasks.values());
    // Where a letter of the key is written today, if partitions were added.
    for (const { request } of tasks.values()) {
      const partition = request.key === null ? undefined : port.partitionOf(request.key);
      if (partition !== undefined && !from.has(partition)) from.set(partition, 0n);
    }
    const ends = await port.read(from, async (letter) => {
      const task = tasks.get(queueName(letter));
      if (task) await this.#letter(task, letter);
      return !signal.aborted && [...tasks.values()].some(({ isActive }) => isActive);
    });
    if (!signal.aborted) await this.#finish([...tasks.values()], ends);
    return true;
  }

  async #letter(task: RedriveTask, letter: DeadLetter): Promise<void> {
    const fate = task.fate(letter);
    if (fate === 'pass') return;
    if (this.#mayComeAgain(task, letter)) {
      task.isActive = false;
      return;
    }
    switch (fate) {
      case 'repeated':
        return task.passed(letter, 'repeated');
      case 'discard':
        return task.passed(letter, 'discarded');
      case 'left':
        return task.leave();
      case 'hand-out':
        return this.#handOut(task, letter);
    }
  }

  /**
   * Whether the topic may bring the letter's event once more, since nobody has committed it: then it is waited for, or
   * an event before it would be handled behind it. A place that the topic does not have is of one that was deleted.
   */
  #mayComeAgain({ request }: RedriveTask, { record }: DeadLetter): boolean {
    if (record.partition !== request.partition) return false;
    const work = this.#options.find(request);
    if (work?.highWatermark === undefined) return true;
    return record.offset < work.highWatermark.offset && record.offset >= work.tracker.position;
  }

  async #handOut(task: RedriveTask, letter: DeadLetter): Promise<void> {
    const { alone, deliver, log } = this.#options;
    const { eid } = letter;
    if (!task.begin(letter))
      return this.#failed(
        task,
        letter,
        new ConsumerError(
          'HANDLER_FAILED',
          `it was handed out ${mostTries} times, and each time the process ended before the handler did: see why, then redrive again`,
        ),
      );
    const { topic, partition } = task.request;
    const outcome = await alone({ topic, partition }, async (life) => {
      await this.#write(task);
      const done = await deliver(letter, life);
      if (life.isAbandoned) return 'given-up';
      if (done === 'handled') {
        task.passed(letter, 'handled');
        await this.#write(task);
      }
      return done;
    });
    if (outcome === undefined || outcome === 'given-up') {
      // The partition goes: whoever has it next goes on.
      task.isActive = false;
    } else if (outcome === 'handled') {
      log.info({ eid, topic, partition }, 'dead letter handled');
    } else await this.#failed(task, letter, outcome.error);
  }

  async #failed(task: RedriveTask, { eid }: DeadLetter, error: unknown): Promise<void> {
    task.failed({ eid, ...causeOf(error) });
    await this.#write(task);
    const { topic, partition } = task.request;
    this.#options.log.warn(
      { eid, topic, partition, error },
      'dead letter could not be handled again: it waits on, and so does what is behind it',
    );
  }

  /** All letters up to `ends` were dealt with: frees the keys, if none has come meanwhile. */
  async #finish(tasks: readonly RedriveTask[], ends: ReadonlyMap<number, bigint>): Promise<void> {
    const { alone, port, release, log } = this.#options;
    for (const [at, each] of byPartition(tasks.filter(({ isActive }) => isActive))) {
      const { topic, partition } = at;
      await alone(at, async (life) => {
        const late = new Map<string, DeadLetter[]>();
        await port.read(ends, (letter) => {
          late.set(queueName(letter), [...(late.get(queueName(letter)) ?? []), letter]);
          return !life.isEnding;
        });
        for (const task of each) {
          if (life.isEnding) return;
          const { request } = task;
          const came = late.get(queueName(request)) ?? [];
          if (came.some((letter) => task.fate(letter) === 'left')) task.leave();
          else if (came.length > 0) continue;
          if (task.leftBehind === 0 && request.key !== null) await release(at, request.key);
          task.end(task.leftBehind === 0 ? 'done' : 'waiting');
          await this.#write(task);
          log.info(
            { topic, partition, request: request.id },
            task.leftBehind === 0
              ? 'no dead letter of the key waits any more: it is free'
              : 'dead letters were given up, and later ones of their key wait',
          );
        }
      });
    }
  }

  async #write(task: RedriveTask): Promise<void> {
    const { port, clock } = this.#options;
    await port.tell(task.progress(new Date(clock.wallMs())));
  }

  #tell(what: string, tell: () => void): void {
    if (this.#told !== what) tell();
    this.#told = what;
  }
}

function byPartition(tasks: readonly RedriveTask[]): [TopicPartition, RedriveTask[]][] {
  const found = new Map<string, [TopicPartition, RedriveTask[]]>();
  for (const task of tasks) {
    const name = partitionKey(task.request);
    const group = found.get(name) ?? [task.request, []];
    group[1].push(task);
    found.set(name, group);
  }
  return [...found.values()];
}
