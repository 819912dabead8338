import { endianness } from 'node:os';

const wordBytes = 4;
/** Words that are worked on side by side. */
const strands = 3;
/** Words are read as the machine has them, and the checksum wants their first byte lowest. */
const canReadWords = endianness() === 'LE';

// Constants of the module and not looked up in an array: it is worth a third of the time, because they are built into the compiled loop.
const [near3, near2, near1, near0, , , , , far3, far2, far1, far0] = tables();

/**
 * CRC-32C (Castagnoli) of `bytes[from, to)` as an unsigned 32-bit number: the checksum of a record batch. Own code because Node has the other polynomial only
 * (`zlib.crc32`). About half a nanosecond a byte: three strands, each over every third word, do not wait for one another as the steps of a single one do.
 */
export function crc32c(bytes: Buffer, from: number, to: number): number {
  const stray = (bytes.byteOffset + from) % wordBytes;
  const wordsAt = Math.min(to, stray === 0 ? from : from + wordBytes - stray);
  const wordCount = canReadWords ? Math.floor((to - wordsAt) / wordBytes) : 0;
  let crc = addBytes(-1, bytes, from, wordsAt);
  if (wordCount > 0)
    crc = addWords(crc, new Int32Array(bytes.buffer, bytes.byteOffset + wordsAt, wordCount));
  return ~addBytes(crc, bytes, wordsAt + wordCount * wordBytes, to) >>> 0;
}

function addBytes(start: number, bytes: Buffer, from: number, to: number): number {
  let crc = start;
  for (let at = from; at < to; at += 1)
    crc = (near3[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8);
  return crc;
}

function addWords(start: number, words: Int32Array): number {
  // What a strand holds belongs to its next word: the last step is left to a single strand, which takes up all three.
  const lastStep = words.length - 2 * strands;
  let a = start;
  let b = 0;
  let c = 0;
  let at = 0;
  for (; at <= lastStep; at += strands) {
    const x = a ^ (words[at] as number);
    const y = b ^ (words[at + 1] as number);
    const z = c ^ (words[at + 2] as number);
    a =
      (far0[x & 0xff] as number) ^
      (far1[(x >>> 8) & 0xff] as number) ^
      (far2[(x >>> 16) & 0xff] as number) ^
      (far3[x >>> 24] as number);
    b =
      (far0[y & 0xff] as number) ^
      (far1[(y >>> 8) & 0xff] as number) ^
      (far2[(y >>> 16) & 0xff] as number) ^
      (far3[y >>> 24] as number);
    c =
      (far0[z & 0xff] as number) ^
      (far1[(z >>> 8) & 0xff] as number) ^
      (far2[(z >>> 16) & 0xff] as number) ^
      (far3[z >>> 24] as number);
  }
  const held = [a, b, c];
  let crc = 0;
  for (let index = 0; at < words.length; at += 1, index += 1) {
    const x = crc ^ (held[index] ?? 0) ^ (words[at] as number);
    crc =
      (near0[x & 0xff] as number) ^
      (near1[(x >>> 8) & 0xff] as number) ^
      (near2[(x >>> 16) & 0xff] as number) ^
      (near3[x >>> 24] as number);
  }
  return crc;
}

type Table = Int32Array;
type Tables = readonly [
  ...(readonly [Table, Table, Table, Table]),
  ...(readonly [Table, Table, Table, Table]),
  ...(readonly [Table, Table, Table, Table]),
];

/** In the n-th: what a byte has become when n others have followed it. */
function tables(): Tables {
  const first = Int32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    return crc;
  });
  const all = [first];
  while (all.length < strands * wordBytes) {
    const before = all.at(-1) ?? first;
    all.push(before.map((crc) => (first[crc & 0xff] as number) ^ (crc >>> 8)));
  }
  return all as unknown as Tables;
}
