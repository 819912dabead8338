import { setImmediate as turn } from 'node:timers/promises';
import type { KafkaRecord } from '@outbound/kafka';
import { systemClock } from '@outbound/service-kit';
import type { DeadLetterRecord } from '../src/dead-letters/dead-letter-record.ts';
import { deadLetterOf, type DeadLetter } from '../src/dead-letters/dead-letter.ts';
import { createMemoryParkedKeys } from '../src/dead-letters/parked-keys.ts';
import { RedriveBook, type RedriveRequest } from '../src/dead-letters/redrive-journal.ts';
import type { RedrivePort } from '../src/dead-letters/redrive-port.ts';
import { KeyFreer } from '../src/subscribe/key-freer.ts';
import { Redriver } from '../src/subscribe/redriver.ts';
import { record, setUp } from './delivery-rig.ts';
import { startDispatcher } from './dispatcher-rig.ts';

const topic = 't';

/** A topic `t` with one partition, its dead letters and their journal: what is there whatever dies. */
export function redriveWorld() {
  const keys = createMemoryParkedKeys();
  const book = new RedriveBook();
  const events: KafkaRecord[] = [];
  const dead: KafkaRecord[] = [];
  /** Everything a handler took, `key version`, by whatever process. */
  const handled: string[] = [];
  const broken = new Set<string>();
  let requests = 0;
  /** Of every process; stands still by itself. */
  let nowMs = 0;
  /** Called before every step that leaves a trace; throw, and the process is dead. */
  let onStep: (what: string) => void = () => undefined;
  /** Awaited before a key is freed. */
  let onRelease: () => Promise<unknown> = () => Promise.resolve();
  /** Awaited before a letter is looked at, while the partition flows. */
  let onRead: (offset: bigint) => Promise<void> = () => Promise.resolve();

  const letters = (): DeadLetter[] => dead.flatMap((each) => deadLetterOf(each) ?? []);
  const append = ({ key, value, headers, timestampMs }: DeadLetterRecord): void => {
    const text = headers.map(({ name, value: each }) => [name, String(each)] as const);
    dead.push({
      ...{ topic: 'dead', partition: 0, offset: BigInt(dead.length), timestampMs, key, value },
      ...{ headers: Object.fromEntries(text), headerList: () => headers },
    });
  };
  const waiting = (key: string): DeadLetter[] =>
    letters().filter((each) => each.key === key && book.isWaiting(each, each.place));

  return {
    keys,
    book,
    handled,
    broken,
    letters,
    waiting,
    set onStep(does: (what: string) => void) {
      onStep = does;
    },
    set onRelease(does: () => Promise<unknown>) {
      onRelease = does;
    },
    set onRead(does: (offset: bigint) => Promise<void>) {
      onRead = does;
    },
    /** Time passes. */
    later(ms: number): void {
      nowMs += ms;
    },
    /** Writes an event into the topic. */
    write(key: string, version: number): void {
      const event = { ...record(events.length, key, version), topic };
      const headers = Object.entries(event.headers).map(([name, value]) => ({
        name,
        value: Buffer.from(value),
      }));
      events.push({ ...event, headerList: () => headers });
    },
    /** What a person asks for. */
    ask(
      key: string,
      verb: RedriveRequest['verb'] = 'redrive',
      { through, partition = 0 }: { readonly through?: bigint; readonly partition?: number } = {},
    ): string {
      const found = waiting(key);
      requests += 1;
      const id = `request ${requests}`;
      book.add({
        kind: 'request',
        entry: {
          ...{ id, verb, group: 'g', topic, key, partition, at: '' },
          from: { '0': found[0]?.place.offset ?? 0n },
          through: { '0': through ?? found.at(-1)?.place.offset ?? -1n },
        },
      });
      return id;
    },
    /** A process that begins at this offset. */
    async member(at = 0, options: { readonly mayCommit?: () => boolean } = {}) {
      const port: RedrivePort = {
        topic: 'dead.redrive',
        look: () => Promise.resolve(book),
        tell: (entry) => {
          onStep(`tell ${entry.state}`);
          book.add({ kind: 'progress', entry });
          return Promise.resolve();
        },
        async read(from, onLetter) {
          let offset = from.get(0) ?? 0n;
          const end = BigInt(dead.length);
          for (; offset < end; offset += 1n) {
            await onRead(offset);
            const letter = deadLetterOf(dead[Number(offset)] as KafkaRecord);
            if (letter && !(await onLetter(letter))) break;
          }
          return new Map([[0, offset]]);
        },
        partitionOf: () => 0,
        close: () => Promise.resolve(),
      };
      const rig = setUp(
        {
          handle: ({ key, version }) => {
            const event = `${key} ${version}`;
            if (broken.has(event)) throw Object.assign(new Error('cannot'), { code: 'E_BAD' });
            handled.push(event);
            onStep(`handled ${event}`);
          },
        },
        { keys, topicName: topic, onLetter: append },
      );
      await rig.desk.load({ topic, partition: 0 });
      const { mayCommit = () => true } = options;
      const { dispatcher, failures, assign } = startDispatcher(rig.delivery, {
        partitions: 0,
        commitIntervalMs: 0,
        commit: () => (mayCommit() ? Promise.resolve() : Promise.reject(new Error('away'))),
      });
      assign(0, at);
      const ignore = (): void => undefined;
      const freer = new KeyFreer({
        release: (each, key) => rig.desk.release(each, key),
        own: (each) => rig.desk.load(each),
        sessionTimeoutMs: 30_000,
        clock: { nowMs: () => nowMs },
      });
      const redriver = new Redriver({
        ...{
          group: 'g',
          port,
          clock: { ...systemClock, nowMs: () => nowMs },
          log: { info: ignore, warn: ignore, error: ignore },
        },
        find: (each) => dispatcher.find(each),
        partitionsOf: () => 1,
        alone: (each, task) => dispatcher.alone(each, task),
        isPaused: (each) => dispatcher.isPausedFor(each),
        deliver: (letter, life) => rig.delivery.letter(letter.record, life),
        release: async (each, key, life) => {
          onStep('release');
          await onRelease();
          await freer.free(each, key, life);
        },
      });
      const over = new AbortController();
      return {
        dispatcher,
        failures,
        /** Gives it the partition, from this offset on. */
        assign: (from: number) => assign(0, from),
        /** Handles everything that is in the topic, and commits it. */
        async read(): Promise<void> {
          const from = dispatcher.find({ topic, partition: 0 })?.tracker.reached ?? 0n;
          const next = BigInt(events.length);
          const fetched = { topic, partition: 0, records: events.slice(Number(from)), from, next };
          const ends = { highWatermark: next, lastStableOffset: next };
          dispatcher.take({ ...fetched, ...ends, byteCount: 1, askedAtMs: 0 });
          for (let turns = 0; turns < 50; turns += 1) await turn();
          const work = dispatcher.find({ topic, partition: 0 });
          while (mayCommit() && work?.toCommit !== undefined) await turn();
        },
        /** Looks into the journal once. */
        round: async () => redriver.round(over.signal),
      };
    },
  };
}
