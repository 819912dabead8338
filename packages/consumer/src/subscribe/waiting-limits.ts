/** How much may be fetched and not yet handled before no more is fetched. */
export interface WaitingLimits {
  /** Events of one partition that wait. */
  readonly maxEvents: number;
  /**
   * Bytes that one partition keeps in memory, without those that only running handlers keep: an answer for each of them at the most, and a
   * long one must not stop the other keys.
   */
  readonly maxBytes: number;
  /** The same of all partitions together, each of which has an equal share. */
  readonly maxBytesInAll: number;
}

/** Beyond it a fetch, which may be larger than what was left: an answer's part, or one batch of any size. */
export const defaultWaitingLimits: WaitingLimits = {
  maxEvents: 1_000,
  maxBytes: 8 << 20,
  maxBytesInAll: 64 << 20,
};

/** Bytes that each of so many partitions may keep: fixed shares, so that none waits for what another one holds. */
export function bytesOfEach(
  { maxBytes, maxBytesInAll }: Pick<WaitingLimits, 'maxBytes' | 'maxBytesInAll'>,
  partitions: number,
): number {
  return Math.min(maxBytes, maxBytesInAll / Math.max(1, partitions));
}
