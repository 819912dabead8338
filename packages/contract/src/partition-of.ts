const seed = 0x9747b28c | 0;
const m = 0x5bd1e995;
const r = 24;

/**
 * Murmur2 of the bytes as a signed 32-bit number, equal to `org.apache.kafka.common.utils.Utils.murmur2`,
 * so that every client that keys by entity id agrees with us on the partition.
 */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length;
  let h = seed ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    let k =
      (bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24);
    k = Math.imul(k, m);
    k ^= k >>> r;
    h = Math.imul(h, m) ^ Math.imul(k, m);
  }
  const rest = length - at;
  if (rest > 0) {
    for (let i = rest - 1; i >= 0; i -= 1) h ^= (bytes[at + i] ?? 0) << (8 * i);
    h = Math.imul(h, m);
  }
  h ^= h >>> 13;
  h = Math.imul(h, m);
  return h ^ (h >>> 15);
}

/** Where Kafka's default partitioner puts a key: `toPositive(murmur2(key)) % partitions`, 0 ≤ result < partitions. */
export function partitionOf(key: string | Uint8Array, partitions: number): number {
  return (murmur2(typeof key === 'string' ? Buffer.from(key) : key) & 0x7fffffff) % partitions;
}
