import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RelayError } from '../errors.ts';
import {
  beginBytes,
  commitBytes,
  insertBytes,
  outboxRelationColumns,
  outboxRow,
  relationBytes,
} from './test-support/pgoutput-bytes.ts';
import { TransactionAssembler } from './transaction-assembler.ts';

/** An assembler over one reused buffer that is overwritten after each call, and what it told. */
function assembly() {
  const told: unknown[] = [];
  const assembler = new TransactionAssembler({
    begin: ({ xid, commitLsn, commitTimeMs }) => told.push(['begin', xid, commitLsn, commitTimeMs]),
    relation: ({ name, columns }) => told.push(['relation', name, columns.length]),
    insert: (tuple, { commitLsn, index }, commitTimeMs) =>
      told.push(['insert', tuple.text(0), commitLsn, index, commitTimeMs]),
    commit: (endLsn) => told.push(['commit', endLsn]),
  });
  const shared = Buffer.alloc(1 << 16);
  const read = (...messages: Buffer[]) => {
    for (const message of messages) {
      message.copy(shared, 100);
      try {
        assembler.read(shared.subarray(100, 100 + message.length));
      } finally {
        shared.fill(0xdb);
      }
    }
  };
  return { assembler, told, read };
}

const outbox = relationBytes(16400, 'public', 'outbox', outboxRelationColumns);
const row = (id: string) => insertBytes(16400, outboxRow({ id }));

describe('the transaction assembler', () => {
  it('gives the rows of the outbox with their positions, in order, and nothing of other tables', () => {
    const transaction = fc.record({
      gap: fc.integer({ min: 1, max: 1000 }),
      length: fc.integer({ min: 1, max: 100 }),
      inserts: fc.array(fc.constantFrom('outbox', 'other', 'delete', 'origin', 'truncate')),
    });
    fc.assert(
      fc.property(fc.array(transaction, { maxLength: 20 }), (transactions) => {
        const { told, read } = assembly();
        const expected: unknown[] = [['relation', 'outbox', 9]];
        read(outbox, relationBytes(7, 'public', 'other', [{ name: 'n', typeOid: 23 }]));
        let lsn = 0n;
        let id = 0;
        transactions.forEach(({ gap, length, inserts }, xid) => {
          lsn += BigInt(gap);
          const end = lsn + BigInt(length);
          read(beginBytes(lsn, 1000, xid));
          expected.push(['begin', xid, lsn, 1000]);
          let index = 0;
          for (const insert of inserts) {
            if (insert === 'other') read(insertBytes(7, ['1']));
            else if (insert === 'delete') read(Buffer.from('D'));
            else if (insert === 'origin') read(Buffer.from('O'));
            else if (insert === 'truncate') read(Buffer.from('T'));
            else {
              id += 1;
              read(row(`id-${id}`));
              expected.push(['insert', `id-${id}`, lsn, index, 1000]);
              index += 1;
            }
          }
          read(commitBytes(lsn, end, 1000));
          expected.push(['commit', end]);
          lsn = end;
        });
        expect(told).toEqual(expected);
      }),
    );
  });

  it('tells the relation again when it was announced again, and counts on', () => {
    const { told, read } = assembly();
    const wider = [{ name: 'extra', typeOid: 23 }, ...outboxRelationColumns];
    read(outbox, beginBytes(1n, 0, 1), row('a'));
    read(relationBytes(16400, 'public', 'outbox', wider));
    read(insertBytes(16400, ['5', ...outboxRow()]));
    expect(told.map((each) => (each as unknown[])[0])).toEqual([
      'relation',
      'begin',
      'insert',
      'relation',
      'insert',
    ]);
    expect(told.at(-1)).toEqual(['insert', '5', 1n, 1, 0]);
  });

  it('tells the right relation for each row when the outbox was dropped and made again', () => {
    const { told, read } = assembly();
    read(outbox, relationBytes(16500, 'public', 'outbox', outboxRelationColumns));
    read(beginBytes(1n, 0, 1), row('old'), insertBytes(16500, outboxRow({ id: 'new' })));
    expect(told.filter((each) => (each as unknown[])[0] === 'relation').length).toBe(4);
  });

  it('passes a partition by that is only announced, and refuses its rows, which would else be lost', () => {
    const { read } = assembly();
    read(outbox, relationBytes(9, 'public', 'outbox_p1', outboxRelationColumns));
    read(beginBytes(1n, 0, 1), row('a'));
    expect(() => read(insertBytes(9, outboxRow()))).toThrow(
      expect.objectContaining({ code: 'SOURCE_PUBLICATION_WRONG' }),
    );
  });

  it.each<[string, Buffer[], RegExp]>([
    ['an insert outside a transaction', [outbox, row('a')], /outside a transaction/],
    ['a commit outside a transaction', [commitBytes(1n, 2n, 0)], /outside a transaction/],
    ['a begin within a transaction', [beginBytes(1n, 0, 1), beginBytes(2n, 0, 2)], /begins inside/],
    ['a commit of another position', [beginBytes(1n, 0, 1), commitBytes(2n, 3n, 0)], /announced/],
    [
      'a commit that ends where it begins',
      [beginBytes(1n, 0, 1), commitBytes(1n, 1n, 0)],
      /not after it/,
    ],
    [
      'a transaction that does not come after the last',
      [beginBytes(5n, 0, 1), commitBytes(5n, 6n, 0), beginBytes(5n, 0, 2)],
      /not after 0\/5/,
    ],
    [
      'a row of a table that was never announced',
      [beginBytes(1n, 0, 1), row('a')],
      /never announced/,
    ],
    [
      'a row with another number of columns',
      [outbox, beginBytes(1n, 0, 1), insertBytes(16400, ['x'])],
      /announced with 9/,
    ],
  ])('refuses %s', (_, messages, words) => {
    const { read } = assembly();
    const thrown = (() => {
      try {
        read(...messages);
        return undefined;
      } catch (error) {
        return error;
      }
    })();
    expect(thrown).toBeInstanceOf(RelayError);
    expect(thrown).toMatchObject({ code: 'DECODE_PROTOCOL' });
    expect(String(thrown)).toMatch(words);
  });

  it('throws nothing but its own errors, whatever comes in whatever order', () => {
    const message = fc.oneof(
      fc.constant(outbox),
      fc.constant(row('a')),
      fc.bigInt({ min: 0n, max: 9n }).map((lsn) => beginBytes(lsn, 0, 1)),
      fc.bigInt({ min: 0n, max: 9n }).map((lsn) => commitBytes(lsn, lsn + 1n, 0)),
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(fc.array(message), (messages) => {
        const { read, assembler } = assembly();
        try {
          read(...messages);
        } catch (error) {
          expect(error).toBeInstanceOf(RelayError);
        }
        expect(typeof assembler.isInTransaction).toBe('boolean');
      }),
      { numRuns: 2000 },
    );
  });
});
