/** What the head of a batch says. */
export interface BatchBounds {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly producerId: number;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
}

/** The heads of the whole batches in a broker's answer. */
export function batchBounds(recordSet: Buffer): BatchBounds[] {
  const found: BatchBounds[] = [];
  for (let at = 0; at + 61 <= recordSet.length;) {
    const end = at + 12 + recordSet.readInt32BE(at + 8);
    if (end > recordSet.length) break;
    const baseOffset = Number(recordSet.readBigInt64BE(at));
    const attributes = recordSet.readInt16BE(at + 21);
    found.push({
      baseOffset,
      lastOffset: baseOffset + recordSet.readInt32BE(at + 23),
      producerId: Number(recordSet.readBigInt64BE(at + 43)),
      isTransactional: (attributes & 0x10) !== 0,
      isControl: (attributes & 0x20) !== 0,
    });
    at = end;
  }
  return found;
}
