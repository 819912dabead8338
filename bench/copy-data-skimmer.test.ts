import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CopyDataSkimmer } from './copy-data-skimmer.ts';

const frame = (tag: string, body: Buffer): Buffer => {
  const head = Buffer.alloc(5);
  head.write(tag, 0, 'latin1');
  head.writeUInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
};
const xLogData = (pgoutput: Buffer): Buffer =>
  frame('d', Buffer.concat([Buffer.from('w'), Buffer.alloc(24), pgoutput]));
const keepalive = (walEnd: bigint, reply: 0 | 1): Buffer => {
  const body = Buffer.alloc(18);
  body.write('k', 0, 'latin1');
  body.writeBigUInt64BE(walEnd, 1);
  body.writeUInt8(reply, 17);
  return frame('d', body);
};
const transaction = (payload: number): Buffer[] => [
  xLogData(Buffer.concat([Buffer.from('B'), Buffer.alloc(20)])),
  xLogData(Buffer.concat([Buffer.from('I'), Buffer.alloc(payload)])),
  xLogData(Buffer.concat([Buffer.from('C'), Buffer.alloc(25)])),
];

describe('the skimmer of a replication stream', () => {
  it('counts the same wherever the socket cuts the bytes', () => {
    const stream = Buffer.concat([
      frame('W', Buffer.alloc(3)),
      keepalive(7n, 0),
      ...transaction(300),
      keepalive(9n, 1),
      ...transaction(0),
      ...transaction(70_000),
    ]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }), (sizes) => {
        const asked: bigint[] = [];
        const skimmer = new CopyDataSkimmer({
          replyRequested: (walEnd) => asked.push(walEnd),
          failed: (text) => expect.unreachable(text),
        });
        let at = 0;
        for (let turn = 0; at < stream.length; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1;
          skimmer.push(stream.subarray(at, at + size));
          at += size;
        }
        expect(skimmer.counts).toEqual({
          bytes: stream.length,
          messages: 9,
          inserts: 3,
          commits: 3,
        });
        expect(asked).toEqual([9n]);
      }),
    );
  });

  it('tells what the server refused', () => {
    const failures: string[] = [];
    const skimmer = new CopyDataSkimmer({
      replyRequested: () => expect.unreachable(),
      failed: (text) => failures.push(text),
    });
    const error = frame('E', Buffer.from('SERROR\0VERROR\0C42704\0Mno such slot\0\0'));
    skimmer.push(error.subarray(0, 12));
    skimmer.push(error.subarray(12));
    expect(failures).toEqual(['ERROR 42704 no such slot']);
  });
});
