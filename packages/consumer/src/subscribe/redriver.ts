import { partitionKey, type TopicPartition } from '@outbound/kafka';
import { errorForLog, type Clock, type KafkaLog } from '@outbound/service-kit';
import { causeOf } from '../dead-letters/dead-letter-record.ts';
import type { DeadLetter } from '../dead-letters/dead-letter.ts';
import {
  queueName,
  type RedriveBook,
  type RedriveProgress,
  type RedriveRequest,
} from '../dead-letters/redrive-journal.ts';
import type { RedrivePort } from '../dead-letters/redrive-port.ts';
import { carryingPartition } from '../dead-letters/carrying-partition.ts';
import { mostTries, RedriveTask, whereToBegin } from '../dead-letters/redrive-task.ts';
import { ConsumerError } from '../errors.ts';
import type { Outcome } from './attempts.ts';
import type { Life } from './life.ts';
import type { PartitionWork } from './partition-work.ts';

const everyMs = 1_000;
const whileMissingMs = 5_000;
/** After so long a round is cut short for what was asked for since. */
const roundMs = 5_000;
/** For so long keys of one partition are freed, until that flows again. */
const freeingMs = 200;

/** What the redriver wants of the rest of a subscription. */
export interface RedriverOptions {
  readonly group: string;
  readonly port: RedrivePort;
  /** The partition, if it is ours now. */
  readonly find: (
    at: TopicPartition,
  ) => Pick<PartitionWork, 'committed' | 'highWatermark' | 'life'> | undefined;
  /** How many partitions the topic has; undefined while it is not there. */
  readonly partitionsOf: (topic: string) => number | undefined;
  /** Nothing of the partition may be begun now. */
  readonly isPaused: (at: TopicPartition) => boolean;
  /** `Dispatcher.alone`. */
  readonly alone: <Result>(
    at: TopicPartition,
    task: (life: Life) => Promise<Result>,
  ) => Promise<Result | undefined>;
  /** Hands a dead letter to the handler of its topic, once; undefined for a topic that is not ours. */
  readonly deliver: (letter: DeadLetter, life: Life) => Promise<Outcome>;
  /** Lets the key be handled again; as `KeyFreer`. */
  readonly release: (at: TopicPartition, key: string, life: Life) => Promise<void>;
  readonly clock: Clock;
  readonly log: KafkaLog;
}

/**
 * Carries out what people have asked for dead letters: looks into the journal every second, and does what is asked for
 * keys of partitions that are ours. A letter is handed to the handler while nothing else of its partition runs, one by
 * one in their order; between two letters the partition flows. A key is freed when no letter of it waits, in a moment
 * in which none can be written: only we write letters of this partition.
 *
 * What was done is written after it was done, so a crash repeats one letter at the most; what could not be written is
 * kept, and written before anything else is done.
 */
export class Redriver {
  readonly #options: RedriverOptions;
  /** What was told last, so that it is told once. */
  #told = '';
  /** What was done and the journal does not say yet, by queue. */
  readonly #unwritten = new Map<string, RedriveProgress>();
  #book: RedriveBook | undefined;
  /**
   * In which life of its partition each task was begun. What the journal says of a queue is known from before that life on; if another member had the
   * partition in between, it may have handed out what a task of before takes for waiting.
   */
  readonly #lives = new WeakMap<RedriveTask, Life>();

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
          this.#say(`missing`, () =>
            log.info(
              { topic: port.topic },
              'dead letters cannot be redriven: make this topic (compacted) for it',
            ),
          );
        } else this.#told = '';
      } catch (error) {
        if (!signal.aborted)
          this.#say(JSON.stringify(errorForLog(error)), () =>
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
    const { port } = this.#options;
    const book = await port.look();
    if (!book) return false;
    // One of the topics was made again: what was done with letters of before says nothing.
    if (book !== this.#book) this.#unwritten.clear();
    this.#book = book;
    for (const progress of this.#unwritten.values()) await this.#tell(progress);
    for (const progress of book.wentBack()) {
      const request = book.request(progress);
      if (request && this.#isOurs(request)) await port.tell(progress);
    }
    const tasks = await this.#tasks(book);
    if (tasks.size === 0) return true;
    const from = whereToBegin(tasks.values());
    // Where a letter of the key is written today, if partitions were added.
    for (const { request } of tasks.values()) {
      const partition = request.key === null ? undefined : port.partitionOf(request.key);
      if (partition !== undefined && !from.has(partition)) from.set(partition, 0n);
    }
    const isCut = this.#cut(book, tasks);
    const drop = (name: string): void => {
      if (tasks.get(name)?.isActive === false) tasks.delete(name);
    };
    let isWhole = true;
    const ends = await port.read(from, async (letter) => {
      const name = queueName(letter);
      const task = tasks.get(name);
      if (task) await this.#letter(task, letter);
      drop(name);
      isWhole = !signal.aborted && !(await isCut());
      return isWhole && tasks.size > 0;
    });
    if (isWhole && !signal.aborted) await this.#finish(tasks, ends);
    return true;
  }

  /** What is asked for keys of partitions that are ours. */
  async #tasks(book: RedriveBook): Promise<Map<string, RedriveTask>> {
    const { port, find } = this.#options;
    const tasks = new Map<string, RedriveTask>();
    const ours = book.open().flatMap((request) => {
      const life = this.#isOurs(request) ? find(this.#whereOf(request))?.life : undefined;
      return life ? [{ request, life }] : [];
    });
    // Behind the lives: what members before us have written is in it.
    if (ours.length === 0 || (await port.look()) !== book) return tasks;
    for (const { request, life } of ours) {
      if (!book.isOpen(request) || book.request(request)?.id !== request.id) continue;
      const task = new RedriveTask(request, book.progress(request));
      this.#lives.set(task, life);
      tasks.set(queueName(request), task);
    }
    return tasks;
  }

  #isOurs(request: RedriveRequest): boolean {
    const { group, find } = this.#options;
    return request.group === group && find(this.#whereOf(request)) !== undefined;
  }

  /** The partition whose member carries the request out. */
  #whereOf({ topic, partition, key }: RedriveRequest): TopicPartition {
    const count = this.#options.partitionsOf(topic);
    return { topic, partition: carryingPartition({ partition, key }, count) };
  }

  /**
   * Looks into the journal every second while letters are handed out: what is asked for a queue last counts at once,
   * and a round that takes long is cut short for queues that somebody asks for meanwhile.
   */
  #cut(before: RedriveBook, tasks: Map<string, RedriveTask>): () => Promise<boolean> {
    const { clock, port } = this.#options;
    const beganMs = clock.nowMs();
    let lookedMs = beganMs;
    return async () => {
      if (clock.nowMs() - lookedMs < everyMs) return false;
      const book = await port.look();
      lookedMs = clock.nowMs();
      if (book !== before) return true;
      let isNew = false;
      for (const request of book.open()) {
        const name = queueName(request);
        if (tasks.get(name)?.request.id === request.id || !this.#isOurs(request)) continue;
        tasks.delete(name);
        isNew = true;
      }
      return isNew && clock.nowMs() - beganMs > roundMs;
    };
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
    const at = this.#whereOf(request);
    if (record.partition !== at.partition) return false;
    const work = this.#options.find(at);
    if (work?.highWatermark === undefined) return true;
    return record.offset < work.highWatermark.offset && record.offset >= work.committed;
  }

  async #handOut(task: RedriveTask, letter: DeadLetter): Promise<void> {
    const { alone, deliver, isPaused, port, log } = this.#options;
    const { eid } = letter;
    if (!task.begin(letter))
      return this.#failed(
        task,
        letter,
        new ConsumerError(
          'HANDLER_FAILED',
          `it was handed out ${mostTries} times, and each time the process ended, or its partition went to another member, before the handler had: see why, then redrive again`,
        ),
      );
    const at = this.#whereOf(task.request);
    const outcome = await alone(at, async (life) => {
      if (life !== this.#lives.get(task)) return 'given-up';
      await port.tell(this.#progress(task));
      if (isPaused(at) || !life.mayBegin) {
        // Nobody was handed it, so it is no try; where this is not written, it counts as one.
        task.notBegun();
        await port.tell(this.#progress(task));
        return 'given-up';
      }
      const done = await deliver(letter, life);
      if (life.isAbandoned) return 'given-up';
      if (done === 'handled') {
        task.passed(letter, 'handled');
        await this.#tell(this.#progress(task));
      }
      return done;
    });
    if (outcome === undefined || outcome === 'given-up') {
      // The partition goes: whoever has it next goes on.
      task.isActive = false;
    } else if (outcome === 'handled') {
      log.info({ eid, ...at }, 'dead letter handled');
    } else await this.#failed(task, letter, outcome.error);
  }

  async #failed(task: RedriveTask, { eid }: DeadLetter, error: unknown): Promise<void> {
    task.failed({ eid, ...causeOf(error) });
    await this.#tell(this.#progress(task));
    this.#options.log.warn(
      { eid, ...this.#whereOf(task.request), error },
      'dead letter could not be handled again: it waits on, and so does what is behind it',
    );
  }

  /** All letters up to `ends` were dealt with: frees the keys, if none has come meanwhile. */
  async #finish(
    tasks: ReadonlyMap<string, RedriveTask>,
    ends: ReadonlyMap<number, bigint>,
  ): Promise<void> {
    const { alone, clock, port } = this.#options;
    for (const [at, each] of this.#byPartition(tasks.values())) {
      const late = new Map<string, DeadLetter[]>();
      let read = ends;
      for (let next = 0; next < each.length;) {
        const began = await alone(at, async (life) => {
          const untilMs = clock.nowMs() + freeingMs;
          read = await port.read(read, (letter) => {
            const name = queueName(letter);
            if (tasks.has(name)) late.set(name, [...(late.get(name) ?? []), letter]);
            return !life.isEnding;
          });
          do {
            const task = each[next];
            if (life.isEnding || task === undefined || life !== this.#lives.get(task)) return false;
            next += 1;
            await this.#end(at, life, task, late.get(queueName(task.request)) ?? []);
          } while (clock.nowMs() < untilMs);
          return true;
        });
        if (began !== true) break;
      }
    }
  }

  /** **Order**: while nothing else of the partition runs. */
  async #end(
    at: TopicPartition,
    life: Life,
    task: RedriveTask,
    late: readonly DeadLetter[],
  ): Promise<void> {
    const { release, log } = this.#options;
    const { id: request, key } = task.request;
    if (late.some((letter) => task.fate(letter) === 'left')) task.leave();
    else if (late.length > 0) return;
    const isFree = task.leftBehind === 0;
    if (isFree && key !== null) await release(at, key, life);
    task.end(isFree ? 'done' : 'waiting');
    await this.#tell(this.#progress(task));
    log.info(
      { ...at, request },
      isFree
        ? 'no dead letter of the key waits any more: it is free'
        : 'dead letters were given up, and later ones of their key wait',
    );
  }

  #byPartition(tasks: Iterable<RedriveTask>): [TopicPartition, RedriveTask[]][] {
    const found = new Map<string, [TopicPartition, RedriveTask[]]>();
    for (const task of tasks) {
      const at = this.#whereOf(task.request);
      const group = found.get(partitionKey(at)) ?? [at, []];
      group[1].push(task);
      found.set(partitionKey(at), group);
    }
    return [...found.values()];
  }

  #progress(task: RedriveTask): RedriveProgress {
    return task.progress(new Date(this.#options.clock.wallMs()));
  }

  /** What was done: it is not forgotten where the journal does not take it now. */
  async #tell(progress: RedriveProgress): Promise<void> {
    const name = queueName(progress);
    this.#unwritten.set(name, progress);
    await this.#options.port.tell(progress);
    this.#unwritten.delete(name);
  }

  #say(what: string, tell: () => void): void {
    if (this.#told !== what) tell();
    this.#told = what;
  }
}
