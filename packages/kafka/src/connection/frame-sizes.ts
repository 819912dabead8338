/** A frame holds at least the number of the request that it answers. */
const leastBytes = 4;

/**
 * Follows a stream of Kafka's frames, an int32 size and as many bytes each, however it is cut into chunks, and says
 * when it is none: kafkajs believes any size, throws out of the socket's handler at one that is too small (the
 * process ends) and collects bytes without end for one that is absurd. Keeps no bytes but a size that is cut.
 */
export class FrameSizes {
  readonly #size = Buffer.alloc(4);
  /** How many bytes of the next size are there. */
  #sizeBytes = 0;
  /** How many bytes of the present frame are to come. */
  #left = 0;

  /** Takes the next bytes in. @returns the first size that no answer has: below 4, or above `maxBytes`. */
  take(chunk: Buffer, maxBytes: number): number | undefined {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const passed = Math.min(this.#left, chunk.length - at);
        this.#left -= passed;
        at += passed;
        continue;
      }
      const copied = chunk.copy(this.#size, this.#sizeBytes, at, at + 4 - this.#sizeBytes);
      this.#sizeBytes += copied;
      at += copied;
      if (this.#sizeBytes < 4) return undefined;
      this.#sizeBytes = 0;
      const size = this.#size.readInt32BE();
      if (size < leastBytes || size > maxBytes) return size;
      this.#left = size;
    }
    return undefined;
  }
}

/** What answers like this is probably no Kafka; empty if nothing is known of it. */
export function guessOfSize(size: number): string {
  const head = Buffer.alloc(4);
  head.writeInt32BE(size);
  if (head.toString('latin1') === 'HTTP')
    return ': this port speaks HTTP, give one that speaks Kafka';
  const isTls = (head[0] === 0x15 || head[0] === 0x16) && head[1] === 0x03;
  if (isTls)
    return ': this port speaks TLS, switch TLS on or give one that speaks Kafka without it';
  return ': give the address of a port that speaks Kafka, with TLS where the port wants it';
}
