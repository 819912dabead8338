import { readFileSync } from 'node:fs';

/** One call of a handler for one event. */
export interface Handling {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly version: number;
  /** By the machine's monotonic clock, which all its processes share. */
  readonly atUs: number;
}

/** The machine's monotonic clock, microseconds. */
export const nowUs = (): number => Number(process.hrtime.bigint() / 1000n);

/** What a member writes of an event that it handles now. */
export function handledLine(event: {
  readonly partition: number;
  readonly offset: bigint;
  readonly key: string;
  readonly version: number | undefined;
}): string {
  return `${event.partition} ${event.offset} ${event.key} ${event.version ?? NaN} ${nowUs()}\n`;
}

/** What a member wrote, in its order; nothing if it never came to it. A line that a kill cut off does not count. */
export function readHandled(path: string): Handling[] {
  return readFileSync(path, { encoding: 'utf8', flag: 'a+' })
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [partition, offset, key = '', version, atUs] = line.split(' ');
      return {
        partition: Number(partition),
        offset: Number(offset),
        key,
        version: Number(version),
        atUs: Number(atUs),
      };
    });
}
