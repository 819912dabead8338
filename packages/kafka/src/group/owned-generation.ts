import { readPartitions, type Subscription } from './consumer-protocol.ts';
import { ByteCursor } from '../wire/byte-cursor.ts';
import { ByteWriter } from '../wire/byte-writer.ts';

/**
 * The generation in which a member got what it owns: −1 if it does not say. Where the subscription's version has no
 * field for it, it is in the assignor's own data: Java's CooperativeStickyAssignor writes the number alone;
 * librdkafka writes its last assignment and then the number, as Java's older sticky assignor does.
 */
export function ownedGeneration({ generationId, userData }: Subscription): number {
  if (generationId >= 0 || userData.length === 0) return generationId;
  if (userData.length === 4) return userData.readInt32BE();
  try {
    const reader = new ByteCursor(userData);
    readPartitions(reader);
    return reader.int32();
  } catch {
    // Somebody else's data: it says nothing to us.
    return -1;
  }
}

/**
 * The data of our own subscription, as Java's assignor writes it: a leader that knows version 1 only finds the
 * generation here.
 */
export function generationUserData(generationId: number): Buffer {
  return new ByteWriter().int32(generationId).written();
}
