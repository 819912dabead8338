import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeRecords } from './decode-records.ts';
import { encodedBatch } from './test-support/encoded-batch.ts';

/** Bytes with which UTF-8 goes wrong: leads, continuations, and what may stand beside them. */
const spoilt = fc.array(
  fc.oneof(fc.constantFrom(0x00, 0x41, 0x7f, 0x80, 0xbf, 0xc3, 0xe2, 0xf0, 0xff), fc.nat(255)),
  { maxLength: 90 },
);

it('gives each header the text of its own bytes, whatever stands beside them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(spoilt, { minLength: 1, maxLength: 5 }), async (values) => {
      const headers = Object.fromEntries(
        values.map((bytes, index) => [`h${index}${'x'.repeat(index * 20)}`, Buffer.from(bytes)]),
      );
      const bytes = await encodedBatch({ baseOffset: 0, records: [{ offsetDelta: 0, headers }] });
      const set = { topic: 't', partition: 0, recordSet: bytes, aborted: [] };
      const [record] = decodeRecords(set, 0n).records;
      expect(record?.headers).toEqual(
        Object.fromEntries(
          Object.entries(headers).map(([name, value]) => [name, value.toString()]),
        ),
      );
    }),
    { numRuns: 500 },
  );
});
