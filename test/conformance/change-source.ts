import { describe, expect, it } from 'vitest';
import type {
  ChangeListener,
  ChangeSource,
  ChangeStream,
} from '../../services/relay/src/wal/change-source.ts';
import { noLsn, type Lsn } from '../../services/relay/src/wal/lsn.ts';
import type { SourceIdentity } from '../../services/relay/src/wal/source-position.ts';
import { TransactionAssembler } from '../../services/relay/src/wal/transaction-assembler.ts';
import type { RelayError } from '../../services/relay/src/errors.ts';

/** One slot of a database, real or simulated, and what a test does to it. */
export interface ChangeSourceRig extends AsyncDisposable {
  /** A source for the slot, as another process would make it. */
  source(): ChangeSource;
  /** Commits one transaction with so many outbox rows. */
  commit(rows: number): Promise<void>;
  /** Writes so many outbox rows and rolls back. */
  rollBack(rows: number): Promise<void>;
  /** Writes to the log what is not of the outbox. */
  writeElsewhere(): Promise<void>;
  /** What the slot says. */
  confirmedLsn(): Promise<Lsn>;
  /** Ends the replication connection from the server's side. */
  cut(): Promise<void>;
  /** Lets time pass until the promise is settled. */
  settle<T>(promise: Promise<T>): Promise<T>;
  /** Lets time pass until it is true. @throws Error if that takes too long. */
  until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void>;
  /** Lets some time pass in which something that must not happen could. */
  pass(): Promise<void>;
}

/** Keeps what a source tells, and fails the test that is told something in the wrong order. */
class Reader implements ChangeListener {
  readonly heard: string[] = [];
  readonly commits: { endLsn: Lsn; rows: number }[] = [];
  readonly reasons: RelayError[] = [];
  identity: SourceIdentity | undefined;
  keepaliveLsn: Lsn = noLsn;
  #rows = 0;
  readonly #assembler = new TransactionAssembler({
    begin: () => {
      this.#rows = 0;
    },
    relation: () => undefined,
    insert: () => {
      this.#rows += 1;
    },
    commit: (endLsn) => this.commits.push({ endLsn, rows: this.#rows }),
  });

  get rows(): number {
    return this.commits.reduce((sum, { rows }) => sum + rows, 0);
  }

  get lastEndLsn(): Lsn {
    return this.commits.at(-1)?.endLsn ?? noLsn;
  }

  opened(identity: SourceIdentity): void {
    this.heard.push('opened');
    this.identity = identity;
  }

  message(bytes: Buffer): void {
    this.heard.push('message');
    this.#assembler.read(bytes);
  }

  keepalive(walEnd: Lsn): void {
    this.keepaliveLsn = walEnd;
  }

  closed(reason: RelayError): void {
    this.heard.push('closed');
    this.reasons.push(reason);
  }
}

/** What every `ChangeSource` promises: called by the tests of the real form and of the simulated one. */
export function changeSourceConformance(
  name: string,
  openRig: () => Promise<ChangeSourceRig>,
): void {
  const opened = async (
    rig: ChangeSourceRig,
  ): Promise<{ reader: Reader; stream: ChangeStream }> => {
    const reader = new Reader();
    return { reader, stream: await rig.settle(rig.source().open(reader)) };
  };

  describe(`ChangeSource: ${name}`, () => {
    it('tells which log it reads, once and before any message, and gives committed transactions whole and in order', async () => {
      await using rig = await openRig();
      const { reader, stream } = await opened(rig);
      await rig.commit(2);
      await rig.rollBack(5);
      await rig.commit(3);
      await rig.until('both are read', () => reader.commits.length === 2);
      expect(reader.commits.map(({ rows }) => rows)).toEqual([2, 3]);
      expect(reader.heard[0]).toBe('opened');
      expect(reader.heard.filter((what) => what === 'opened')).toHaveLength(1);
      expect(stream.identity).toEqual(reader.identity);
      await rig.settle(stream.close());
    });

    it('gives again what was not acknowledged, and nothing that was', async () => {
      await using rig = await openRig();
      const first = await opened(rig);
      await rig.commit(1);
      await rig.commit(2);
      await rig.commit(3);
      await rig.until('all are read', () => first.reader.commits.length === 3);
      const ackLsn = first.reader.commits[0]?.endLsn ?? noLsn;
      first.stream.report({ ackLsn, idle: false });
      await rig.settle(first.stream.close());
      await rig.until(
        'the slot has it, exactly',
        async () => (await rig.confirmedLsn()) === ackLsn,
      );
      const second = await opened(rig);
      await rig.until('the rest comes again', () => second.reader.commits.length === 2);
      expect(second.reader.commits).toEqual(first.reader.commits.slice(1));
      await rig.settle(second.stream.close());
    });

    it('acknowledges nothing that was not reported', async () => {
      await using rig = await openRig();
      const before = await rig.confirmedLsn();
      const { reader, stream } = await opened(rig);
      await rig.commit(1);
      await rig.until('it is read', () => reader.commits.length === 1);
      await rig.pass();
      await rig.settle(stream.close());
      expect(await rig.confirmedLsn()).toBeLessThan(reader.lastEndLsn);
      expect(await rig.confirmedLsn()).toBeGreaterThanOrEqual(before);
    });

    it('lets the slot follow keepalives when the reader is idle', async () => {
      await using rig = await openRig();
      const { reader, stream } = await opened(rig);
      await rig.commit(1);
      await rig.until('it is read', () => reader.commits.length === 1);
      const { lastEndLsn } = reader;
      stream.report({ ackLsn: lastEndLsn, idle: true });
      await rig.writeElsewhere();
      await rig.until('a keepalive tells of it', () => {
        if (reader.keepaliveLsn <= lastEndLsn) return false;
        stream.report({ ackLsn: reader.keepaliveLsn, idle: true });
        return true;
      });
      await rig.until('the slot follows', async () => (await rig.confirmedLsn()) > lastEndLsn);
      await rig.settle(stream.close());
    });

    it('refuses a second reader while the first holds the slot, and gives it the slot afterwards', async () => {
      await using rig = await openRig();
      const first = await opened(rig);
      await expect(rig.settle(rig.source().open(new Reader()))).rejects.toMatchObject({
        code: 'SOURCE_SLOT_BUSY',
      });
      expect(await rig.settle(first.stream.holdsSlot())).toBe(true);
      const flushedLsn = await rig.settle(first.stream.flushedLsn());
      expect(first.stream.startLsn).toBeGreaterThan(0n);
      expect(flushedLsn).toBeGreaterThanOrEqual(first.stream.startLsn);
      await rig.settle(first.stream.close());
      let second: ChangeStream | undefined;
      await rig.until('the slot is free', async () => {
        try {
          second = (await opened(rig)).stream;
          return true;
        } catch {
          return false;
        }
      });
      if (second) await rig.settle(second.close());
    });

    it('stops reading when it is paused, and loses nothing', async () => {
      await using rig = await openRig();
      const { reader, stream } = await opened(rig);
      await rig.commit(1);
      await rig.until('the first is read', () => reader.commits.length === 1);
      stream.pause();
      await rig.pass();
      const { length } = reader.heard;
      for (let transaction = 0; transaction < 40; transaction += 1) await rig.commit(20);
      await rig.pass();
      // One read's worth may still come: 64 KiB of a socket, of some 160 that wait.
      expect(reader.heard.length - length).toBeLessThan(440);
      stream.resume();
      await rig.until('all are read', () => reader.rows === 801);
      await rig.settle(stream.close());
    });

    it('says once why it ended, and nothing afterwards', async () => {
      await using rig = await openRig();
      const { reader, stream } = await opened(rig);
      await rig.commit(1);
      await rig.until('it is read', () => reader.commits.length === 1);
      await rig.cut();
      await rig.until('the end is told', () => reader.reasons.length > 0);
      await rig.commit(1);
      await rig.pass();
      expect(reader.reasons.map(({ code }) => code)).toEqual(['SOURCE_CONNECTION_LOST']);
      expect(reader.heard.at(-1)).toBe('closed');
      await rig.settle(stream.close());
      expect(reader.reasons).toHaveLength(1);
    });

    it('says nothing after it was closed', async () => {
      await using rig = await openRig();
      const { reader, stream } = await opened(rig);
      await rig.settle(stream.close());
      const { length } = reader.heard;
      await rig.commit(1);
      await rig.pass();
      expect(reader.heard).toHaveLength(length);
      await rig.settle(stream.close());
    });
  });
}
