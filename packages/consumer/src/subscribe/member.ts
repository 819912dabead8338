import type { EventType } from '@outbound/schemas';
import type { Kafka } from 'kafkajs';
import type { DeadLetterSender } from '../dead-letters/dead-letter-sender.ts';
import { ConsumerError } from '../errors.ts';
import type { BatchLimits } from './batch-due.ts';
import { Delivery } from './delivery.ts';
import { Dispatcher } from './dispatcher.ts';
import { defaultRetry, type HandleBatch } from './handler.ts';
import { crashError, KafkaGroup } from './kafka-group.ts';
import { LagReader } from './lag-reader.ts';
import { PoisonDesk } from './poison-desk.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type { Subscription, SubscriptionState } from './subscription.ts';
import { within } from './within.ts';

/** kafkajs waits for the answers of a broker that may hang. */
const leaveLimitMs = 15_000;
const defaultBatch: BatchLimits = { maxEvents: 500, maxBytes: 1 << 20, maxWaitMs: 1_000 };

/** A member of a group: wires the group, the dispatcher, the handler and the dead letters, and ends them together. */
export class Member<Type extends EventType> implements Subscription {
  readonly done: Promise<void>;
  readonly #options: SubscribeOptions<Type>;
  readonly #sender: DeadLetterSender | undefined;
  readonly #desk: PoisonDesk;
  readonly #delivery: Delivery<Type>;
  readonly #dispatcher: Dispatcher;
  readonly #group: KafkaGroup;
  readonly #lagReader: LagReader;
  #resolveDone: () => void = () => undefined;
  #rejectDone: (error: unknown) => void = () => undefined;
  #state: SubscriptionState = 'joining';
  #isPaused = false;
  #partitions: readonly number[] = [];
  #rebalances = 0;
  #restarts = 0;
  #gaps = 0;
  #failure: { readonly error: unknown } | undefined;
  #stopping: Promise<void> | undefined;
  #progressMs = performance.now();
  #watchdog: NodeJS.Timeout | undefined;

  constructor(options: SubscribeOptions<Type>, kafka: Kafka, sender: DeadLetterSender | undefined) {
    this.#options = options;
    this.#sender = sender;
    const { groupId, topic, eventType, log } = options;
    const { rebalanceTimeoutMs = 60_000, sessionTimeoutMs = 30_000 } = options;
    this.done = new Promise((resolve, reject) => {
      this.#resolveDone = resolve;
      this.#rejectDone = reject;
    });
    this.#desk = new PoisonDesk({
      group: groupId,
      policy: options.onPoison ?? { then: 'stop' },
      sender,
      log,
    });
    this.#delivery = new Delivery({
      eventType,
      unknownVersion: options.unknownVersion ?? 'fail',
      handle: handlerOf(options),
      retry: { ...defaultRetry, ...options.retry },
      handlerTimeoutMs: options.handlerTimeoutMs ?? 300_000,
      desk: this.#desk,
      log,
    });
    const fail = (error: unknown) => this.#fail(error);
    this.#group = new KafkaGroup({
      kafka,
      groupId,
      topic,
      from: options.from ?? 'beginning',
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      log,
      onFetch: (fetched) => this.#dispatcher.take(fetched),
      // Half, because a member hears of a rebalance only with its next heartbeat; one that answers too late is thrown out and may commit nothing.
      onJoining: () => this.#joining(rebalanceTimeoutMs / 2),
      onJoined: (partitions) => this.#joined(partitions),
      onProgress: () => void (this.#progressMs = performance.now()),
      onCrash: (error) => fail(crashError(groupId, error)),
      onRestart: (error) => {
        this.#restarts += 1;
        this.#state = 'restarting';
        log.warn({ error }, 'the Kafka client ended and starts again');
      },
    });
    this.#dispatcher = new Dispatcher({
      deliver: (records, signals, finish) => this.#delivery.deliver(records, signals, finish),
      prepare: (each) => this.#desk.load(each),
      port: this.#group,
      concurrency: options.concurrency ?? 16,
      batch: options.handleBatch ? (options.batch ?? defaultBatch) : undefined,
      limits: options.maxWaiting ?? { maxEvents: 1_000, maxBytes: 8 << 20 },
      commitIntervalMs: options.commitIntervalMs ?? 500,
      commitFailureLimitMs: options.stallLimitMs ?? 180_000,
      onFailure: fail,
      log,
    });
    this.#lagReader = new LagReader(kafka, groupId, topic);
  }

  /** Joins the group. @throws whatever kafkajs throws when no broker answers; then nothing is left open. */
  async start(): Promise<void> {
    const { stallLimitMs = 180_000, groupId, signal } = this.#options;
    this.#watchdog = setInterval(() => {
      if (performance.now() - this.#progressMs > stallLimitMs)
        this.#fail(
          new ConsumerError(
            'CONSUMER_STALLED',
            `nothing was heard of the Kafka client of group ${groupId} for ${stallLimitMs} ms: it hangs, start anew`,
          ),
        );
    }, stallLimitMs / 4);
    try {
      await this.#group.start();
    } catch (error) {
      await this.#end().catch(() => undefined);
      throw error;
    }
    const onAbort = () => {
      this.stop().catch(() => undefined);
    };
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  }

  get state(): SubscriptionState {
    return this.#state === 'running' && this.#isPaused ? 'paused' : this.#state;
  }

  get partitions(): readonly number[] {
    return this.#partitions;
  }

  get counts(): Subscription['counts'] {
    return {
      finished: this.#dispatcher.finished,
      ignored: this.#delivery.ignored,
      deadLetters: this.#desk.deadLetters,
      restarts: this.#restarts,
      rebalances: this.#rebalances,
      gaps: this.#gaps,
    };
  }

  /** Retention has overtaken the group. */
  lostEvents(fields: object): void {
    this.#gaps += 1;
    if ('partition' in fields && typeof fields.partition === 'number')
      this.#group.readAnywhere(fields.partition);
    this.#options.log.error(
      fields,
      'events were removed before this group read them: build the state anew from the compacted topic, and raise the retention',
    );
  }

  pause(): void {
    this.#isPaused = true;
    this.#dispatcher.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#dispatcher.resume();
  }

  async lag(): ReturnType<Subscription['lag']> {
    const works = new Map([...this.#dispatcher.works].map((each) => [each.partition, each]));
    return this.#lagReader.read(
      this.#partitions.map((partition) => {
        const tracker = works.get(partition)?.tracker;
        return { partition, position: tracker?.position, oldestMs: tracker?.oldestMs };
      }),
    );
  }

  async stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const { stopTimeoutMs = 30_000, groupId, log } = this.#options;
    this.#state = 'stopping';
    this.#dispatcher.close();
    const abandoned = await this.#dispatcher.drain(stopTimeoutMs);
    // What was finished is committed already, and the group notices a member that has gone: nothing here is worth a long wait.
    const left = within(leaveLimitMs, this.#end());
    if (!(await left.catch((error: unknown) => void log.warn({ error }, 'leaving failed'))))
      log.warn({ durationMs: leaveLimitMs }, 'the group was not left in order');
    this.#state = 'ended';
    this.#partitions = [];
    if (this.#failure) this.#rejectDone(this.#failure.error);
    else this.#resolveDone();
    if (abandoned > 0 && !this.#failure)
      throw new ConsumerError(
        'STOP_TIMEOUT',
        `${abandoned} handlers of group ${groupId} did not end within ${stopTimeoutMs} ms; their events come again`,
      );
  }

  /** Ends loudly: what runs may finish and is committed, then `done` rejects. */
  #fail(error: unknown): void {
    this.#failure ??= { error };
    // Closed at once: after a failed event no later one of its key may be begun.
    this.#dispatcher.close();
    this.#options.log.error({ error }, 'the subscription ends');
    this.stop().catch(() => undefined);
  }

  async #end(): Promise<void> {
    clearInterval(this.#watchdog);
    await this.#group.stop();
    await this.#lagReader.close();
    await this.#sender?.close();
  }

  async #joining(limitMs: number): Promise<void> {
    if (this.#state === 'running') this.#state = 'joining';
    this.#partitions = [];
    const abandoned = await this.#dispatcher.drain(limitMs);
    if (abandoned > 0)
      this.#options.log.warn(
        { durationMs: limitMs, abandoned },
        'handlers did not end before the rebalance: their events are delivered again, perhaps while they still run',
      );
  }

  #joined(partitions: readonly number[]): void {
    this.#rebalances += 1;
    this.#partitions = partitions;
    if (this.#state === 'joining' || this.#state === 'restarting') this.#state = 'running';
    this.#options.log.info(
      { topic: this.#options.topic, partitions: [...partitions] },
      'joined the group',
    );
  }
}

function handlerOf<Type extends EventType>(options: SubscribeOptions<Type>): HandleBatch<Type> {
  const { handle, handleBatch } = options;
  if (handleBatch) return handleBatch;
  return async ([event], context) => {
    if (event) await handle(event, context);
  };
}
