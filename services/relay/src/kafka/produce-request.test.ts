import { describe, expect, it } from 'vitest';
import { decodeProduceAnswer, encodeProduceRequest } from './produce-request.ts';

describe('encodeProduceRequest', () => {
  it('writes each topic once, with acks from all replicas and no transaction', () => {
    const body = encodeProduceRequest(
      [
        { topic: 'a', partition: 1, batch: Buffer.from('one') },
        { topic: 'bé', partition: 0, batch: Buffer.from('two') },
        { topic: 'a', partition: 2, batch: Buffer.from('three') },
      ],
      3000,
    );
    expect(body.toString('hex')).toBe(
      [
        'ffff', // no transactional id
        'ffff', // acks = all
        '00000bb8',
        '00000002',
        '000161',
        '00000002',
        `00000001${'00000003'}${Buffer.from('one').toString('hex')}`,
        `00000002${'00000005'}${Buffer.from('three').toString('hex')}`,
        '000362c3a9',
        '00000001',
        `00000000${'00000003'}${Buffer.from('two').toString('hex')}`,
      ].join(''),
    );
  });
});

describe('decodeProduceAnswer', () => {
  it('reads a row for each partition, with the broker’s own words where it has some', () => {
    const row = (partition: number, code: number, offset: string, rest: string) =>
      `${partition.toString(16).padStart(8, '0')}${code.toString(16).padStart(4, '0')}${offset}${'ff'.repeat(8)}${'00'.repeat(8)}${rest}`;
    const text = (words: string) =>
      `${Buffer.byteLength(words).toString(16).padStart(4, '0')}${Buffer.from(words).toString('hex')}`;
    const payload = Buffer.from(
      [
        '00000001',
        '000161',
        '00000003',
        row(0, 0, '000000000000002a', '00000000ffff'),
        row(1, 87, 'ff'.repeat(8), `0000000100000000${text('no key')}${text('bad record')}`),
        row(2, 87, 'ff'.repeat(8), `0000000100000000${text('no key')}ffff`),
        '00000064',
      ].join(''),
      'hex',
    );
    expect(decodeProduceAnswer(payload)).toEqual({
      throttleMs: 100,
      answers: [
        { topic: 'a', partition: 0, code: 0, baseOffset: 42n, detail: null },
        { topic: 'a', partition: 1, code: 87, baseOffset: -1n, detail: 'bad record' },
        { topic: 'a', partition: 2, code: 87, baseOffset: -1n, detail: 'no key' },
      ],
    });
  });

  it('refuses an answer that is cut short', () => {
    expect(() => decodeProduceAnswer(Buffer.from('00000001', 'hex'))).toThrow(RangeError);
  });
});
