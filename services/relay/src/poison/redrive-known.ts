import { parkedKeyText, type OutboxRowText } from '@outbound/contract';
import type { RelayError } from '../errors.ts';
import type { ReadLetters } from './letter-reader.ts';
import { LetterQueue } from './letter-queue.ts';
import type { ParkedKey } from './parked-key.ts';
import type { RedriveTries } from './redrive-tries.ts';

/** What redriving needs of the outside. */
export interface RedrivePorts {
  /** The keys that are parked now; empty while there is no session. */
  readonly parked: () => Iterable<ParkedKey>;
  readonly knows: (type: string) => boolean;
  readonly letters: ReadLetters;
  /**
   * Puts rows into the outbox, in order, in one transaction. Gives why if the database refuses them for what is in
   * them: then none is written.
   */
  readonly write: (rows: readonly OutboxRowText[]) => Promise<RelayError | undefined>;
  /** A letter cannot be written again, so its key waits for a person. */
  readonly onStuck: (eid: string, error: RelayError) => void;
  readonly signal?: AbortSignal;
}

/** Of one look: more waits for the next one. */
const lettersAtOnce = 50_000;
const rowsAtOnce = 200;
const bytesAtOnce = 1_048_576;

/**
 * Writes the letters of keys again that waited for a relay that knows their type: this one. Once for each letter that
 * is a key's next one, so that a letter that still cannot be published is not tried for ever. Through the outbox, as a
 * person does it (`outbound dead-letters redrive`): the same rule decides whether it is a letter's turn. A key whose
 * letters the database does not take holds up no other one. Gives how many keys had letters written.
 */
export async function redriveKnown(ports: RedrivePorts, tries: RedriveTries): Promise<number> {
  const keys: ParkedKey[] = [];
  let letters = 0;
  tries.nextLook();
  for (const key of ports.parked()) {
    if (key.state.code !== 'EVENT_TYPE_UNKNOWN' || !ports.knows(key.state.type)) continue;
    if (!tries.isDue(key)) continue;
    keys.push(key);
    letters += key.state.count - key.state.done;
    if (letters >= lettersAtOnce) break;
  }
  if (keys.length === 0) return 0;
  const ids = new Set(keys.map(({ aggregateId }) => aggregateId));
  const queue = new LetterQueue(keys, lettersAtOnce);
  await ports.letters(ids, (found) => {
    ports.signal?.throwIfAborted();
    for (const letter of found) queue.note(letter);
  });
  const writer = new RowWriter(ports, queue);
  await ports.letters(ids, async (found) => {
    for (const letter of found) {
      ports.signal?.throwIfAborted();
      const row = queue.take(letter);
      if (row) await writer.add(row);
    }
  });
  await writer.flush();
  for (const key of keys) tries.tried(key, writer.written.has(keyOf(key)) ? 'written' : 'none');
  for (const key of keys) if (writer.stuck.has(keyOf(key))) tries.tried(key, 'stuck');
  return keys.filter((key) => writer.written.has(keyOf(key))).length;
}

/** Writes rows in bundles of bounded size. */
class RowWriter {
  /** Keys of which something was written. */
  readonly written = new Set<string>();
  /** Keys with a letter that the database does not take. */
  readonly stuck = new Set<string>();
  readonly #ports: RedrivePorts;
  readonly #queue: LetterQueue;
  #rows: OutboxRowText[] = [];
  #bytes = 0;

  constructor(ports: RedrivePorts, queue: LetterQueue) {
    this.#ports = ports;
    this.#queue = queue;
  }

  async add(row: OutboxRowText): Promise<void> {
    const bytes = row.payload.length + row.headers.length;
    if (this.#rows.length >= rowsAtOnce || this.#bytes + bytes > bytesAtOnce) await this.flush();
    // Its key may have been given up just now.
    if (this.stuck.has(rowKey(row))) return;
    this.#rows.push(row);
    this.#bytes += bytes;
  }

  async flush(): Promise<void> {
    const rows = this.#rows;
    this.#rows = [];
    this.#bytes = 0;
    if (rows.length === 0) return;
    if ((await this.#ports.write(rows)) === undefined) {
      for (const row of rows) this.written.add(rowKey(row));
      return;
    }
    // One of them is at fault, or several: each by itself, and of a key none behind the first.
    for (const row of rows) {
      const key = rowKey(row);
      if (this.stuck.has(key)) continue;
      const refused = await this.#ports.write([row]);
      if (!refused) this.written.add(key);
      else {
        this.stuck.add(key);
        this.#queue.stop(key);
        this.#ports.onStuck(row.id, refused);
      }
    }
  }
}

function keyOf({ aggregateType, aggregateId }: ParkedKey): string {
  return parkedKeyText(aggregateType, aggregateId);
}

function rowKey({ aggregatetype, aggregateid }: OutboxRowText): string {
  return parkedKeyText(aggregatetype, aggregateid);
}
