import type { KafkaRecord } from '@outbound/kafka';
import type { DeadLetterRecord } from '../../../packages/consumer/src/dead-letters/dead-letter-record.ts';
import {
  deadLetterOf,
  type DeadLetter,
} from '../../../packages/consumer/src/dead-letters/dead-letter.ts';
import {
  queueName,
  RedriveBook,
  type JournalEntry,
  type LetterQueue,
  type RedriveProgress,
  type RedriveRequest,
} from '../../../packages/consumer/src/dead-letters/redrive-journal.ts';
import type { RedrivePort } from '../../../packages/consumer/src/dead-letters/redrive-port.ts';
import type { Chance } from '../chance.ts';
import type { Life } from '../life.ts';
import type { ReadersChecker } from './readers-checker.ts';

/** Asks the outside for something on behalf of a process: late, or in vain. */
export type Ask = <Answer>(
  life: Life,
  whom: string,
  work: () => Promise<Answer>,
) => Promise<Answer>;

/** What a dead-letter topic holds, and the journal beside it; both outlive every process. Somebody asks for redrives. */
export class SimulatedRedrives {
  readonly #letters: DeadLetter[] = [];
  readonly #journal: JournalEntry[] = [];
  /** By whoever reads it all. */
  readonly #book = new RedriveBook();
  readonly #chance: Chance;
  readonly #checker: ReadersChecker;
  readonly #ask: Ask;
  readonly #trace: (what: string) => void;

  constructor(parts: {
    readonly chance: Chance;
    readonly checker: ReadersChecker;
    readonly ask: Ask;
    readonly trace: (what: string) => void;
  }) {
    this.#chance = parts.chance;
    this.#checker = parts.checker;
    this.#ask = parts.ask;
    this.#trace = parts.trace;
  }

  /** The topic has taken it. */
  append({ key, value, headers, timestampMs }: DeadLetterRecord): void {
    const record: KafkaRecord = {
      ...{ topic: 'dead-letters', partition: 0, offset: BigInt(this.#letters.length) },
      ...{ timestampMs, key, value, headerList: () => headers },
      headers: Object.fromEntries(headers.map((each) => [each.name, String(each.value)])),
    };
    this.#trace(`letter ${record.offset}`);
    const letter = deadLetterOf(record);
    if (!letter) throw new Error('a dead letter that is none');
    this.#letters.push(letter);
  }

  /** Keys with a letter that nobody has dealt with, each with its letters. */
  waiting(): DeadLetter[][] {
    const queues = new Map<string, DeadLetter[]>();
    for (const letter of this.#letters) {
      if (!this.#book.isWaiting(letter, letter.place)) continue;
      const name = queueName(letter);
      queues.set(name, [...(queues.get(name) ?? []), letter]);
    }
    return [...queues.values()];
  }

  /** Somebody asks for something to be done with the letters of some key, or gives some of them up. */
  askForOne(): void {
    const queues = this.waiting();
    if (queues.length === 0) return;
    const letters = this.#chance.pick(queues);
    const verb = this.#chance.happens(0.2) ? 'discard' : 'redrive';
    this.#request(verb, letters, this.#chance.int(1, letters.length));
  }

  /** All that waits and is not asked for is to be handled. */
  askForAll(): void {
    for (const letters of this.waiting()) {
      const [first] = letters;
      if (first && !this.#book.isOpen(first)) this.#request('redrive', letters, letters.length);
    }
  }

  /** What this process carries out requests by. */
  port(life: Life): RedrivePort {
    const book = new RedriveBook();
    let read = 0;
    const ask = async <Answer>(work: () => Answer): Promise<Answer> =>
      this.#ask(life, 'the journal of redrives', () => Promise.resolve(work()));
    return {
      topic: 'dead-letters.redrive',
      look: async () => {
        const found = await ask(() => this.#journal.slice(read));
        read += found.length;
        for (const entry of found) book.add(entry);
        return book;
      },
      tell: async (entry) => {
        await ask(() => this.#tell(life, entry));
        book.add({ kind: 'progress', entry });
      },
      read: async (from, onLetter) => {
        let offset = from.get(0) ?? 0n;
        const end = await ask(() => BigInt(this.#letters.length));
        while (offset < end) {
          const letter = this.#letters[Number(offset)];
          offset += 1n;
          if (letter && !(await onLetter(letter))) break;
        }
        return new Map([[0, offset]]);
      },
      partitionOf: () => 0,
      close: () => Promise.resolve(),
    };
  }

  #request(verb: RedriveRequest['verb'], letters: readonly DeadLetter[], count: number): void {
    const [first] = letters;
    const last = letters[count - 1];
    if (!first || !last) return;
    const { group, topic, key } = first;
    if (verb === 'discard')
      this.#checker.deadLetters.givenUp(letters.slice(0, count).map(({ eid }) => eid));
    this.#trace(`somebody asks to ${verb} ${count} of ${letters.length} letters of ${key}`);
    this.#write({
      kind: 'request',
      entry: {
        ...{ group, topic, key, id: `request ${this.#journal.length} ${verb}`, verb, at: '' },
        partition: letters.at(-1)?.record.partition ?? 0,
        from: { '0': first.place.offset },
        through: { '0': last.place.offset },
      },
    });
  }

  #tell(life: Life, entry: RedriveProgress): void {
    this.#trace(
      `${life.name} writes ${entry.state} of ${entry.request} for ${entry.key}, done to ${entry.done[0] ?? '-'}`,
    );
    this.#write({ kind: 'progress', entry });
    this.#checker.deadLetters.dealtWith(this.#eidsUpTo(entry, entry.done[0] ?? -1n));
  }

  #eidsUpTo(queue: LetterQueue, offset: bigint): string[] {
    const name = queueName(queue);
    return this.#letters
      .filter((each) => each.place.offset <= offset && queueName(each) === name)
      .map(({ eid }) => eid);
  }

  #write(entry: JournalEntry): void {
    this.#journal.push(entry);
    this.#book.add(entry);
  }
}
